//! Tails of distributions, from `libm` alone, so that they are the same everywhere.

/// The chance that a normal number is further from 0 than `z`, on either side.
pub fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The chance that a number of Student's distribution with `df` degrees of
/// freedom is further from 0 than `t`, on either side.
///
/// That is the regularised incomplete beta function `I_x(df/2, 1/2)` at
/// `x = df / (df + t^2)`.
pub fn student_two_sided(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    incomplete_beta(df / (df + t * t), df / 2.0, 0.5)
}

/// The regularised incomplete beta function, by its continued fraction after
/// Lentz (DLMF 8.17.22), on the side on which that converges fast.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - fraction(1.0 - x, b, a);
    }
    fraction(x, a, b)
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    /// Stands for a zero that would be divided by.
    const TINY: f64 = 1e-300;
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = libm::exp(a * libm::log(x) + b * libm::log1p(-x) - ln_beta) / a;

    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    // A hundred thousand degrees of freedom take about 200 rounds.
    for m in 1..=10_000_u32 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = sum;
        for coefficient in [even, odd] {
            d = 1.0 / off_zero(1.0 + coefficient * d);
            c = off_zero(1.0 + coefficient / c);
            sum *= c * d;
        }
        if (sum - before).abs() <= 1e-15 * sum.abs() {
            break;
        }
    }
    (front * sum).clamp(0.0, 1.0)
}

/// The logarithm of the number of ways to choose `k` of `n`.
pub fn ln_choose(n: u64, k: u64) -> f64 {
    let ln_factorial = |of: u64| libm::lgamma(of as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n.saturating_sub(k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_tail_is_that_of_the_tables() {
        let cases = [
            (0.0, 1.0),
            (1.0, 0.317_310_507_862_914),
            (1.959_963_984_540_054, 0.05),
            (-2.575_829_303_548_901, 0.01),
        ];
        for (z, p) in cases {
            assert!((normal_two_sided(z) - p).abs() < 1e-12, "{z}");
        }
    }

    #[test]
    fn students_tail_is_that_of_the_tables() {
        // Closed forms for one and two degrees of freedom.
        for t in [0.0, 0.3, 1.0, 4.0, 60.0] {
            let cauchy = 1.0 - 2.0 / std::f64::consts::PI * f64::atan(t);
            assert!((student_two_sided(t, 1.0) - cauchy).abs() < 1e-12, "{t}");
            let two = 1.0 - t / f64::sqrt(2.0 + t * t);
            assert!((student_two_sided(-t, 2.0) - two).abs() < 1e-12, "{t}");
        }
        // Critical values at 5 %, two-sided, as printed.
        for (df, t) in [(4.0, 2.776_445), (10.0, 2.228_139), (299.0, 1.967_930)] {
            assert!((student_two_sided(t, df) - 0.05).abs() < 1e-6, "{df}");
        }
        // With many degrees of freedom it is the normal one.
        let many = student_two_sided(1.96, 1e6);
        assert!((many - normal_two_sided(1.96)).abs() < 1e-6, "{many}");
        assert!(student_two_sided(f64::INFINITY, 5.0) < 1e-300);
    }

    #[test]
    fn choosing_is_counted_right_where_it_can_be_counted() {
        let of_five = [1.0, 5.0, 10.0, 10.0, 5.0, 1.0];
        for (k, ways) in of_five.into_iter().enumerate() {
            assert!((ln_choose(5, k as u64).exp() - ways).abs() < 1e-9, "{k}");
        }
    }
}
