//! Pure computing without anything of the machine it runs on: compiled into the
//! guest and into the benchmark, so that both run the same code.

use std::hint::black_box;

use serde::Deserialize;

/// What can be computed.
#[allow(dead_code, reason = "the benchmark lists them, the guest is told")]
pub(crate) const KERNELS: [&str; 4] = ["sha256", "json", "sort", "floats"];

/// Makes the kernel's input and computes over it so many times. A sum of what
/// came out; none for a kernel that there is not.
pub(crate) fn run(kernel: &str, rounds: u32) -> Option<u64> {
    let rounds = 0..rounds;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    Some(match kernel {
        "sha256" => {
            let data: Vec<u8> = (0..1 << 20).map(|_| random.next() as u8).collect();
            rounds.fold(0, |sum: u64, _| sum.wrapping_add(sha256(black_box(&data))))
        }
        "json" => {
            let text = document(&mut random);
            rounds.fold(0, |sum: u64, _| sum.wrapping_add(parse(black_box(&text))))
        }
        "sort" => {
            let numbers: Vec<u64> = (0..100_000).map(|_| random.next()).collect();
            rounds.fold(0, |sum: u64, _| {
                let mut numbers = black_box(&numbers).clone();
                numbers.sort_unstable();
                sum.wrapping_add(numbers.get(50_000).copied().unwrap_or(0))
            })
        }
        "floats" => {
            let numbers: Vec<f64> = (0..1_000_000).map(|_| random.next() as f64).collect();
            rounds.fold(0, |sum: u64, _| {
                let roots = black_box(&numbers).iter();
                let total: f64 = roots.map(|n| (n * 1.5).sqrt() + n / 3.0).sum();
                sum.wrapping_add(total.to_bits())
            })
        }
        _ => return None,
    })
}

/// Xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[derive(Deserialize)]
struct Line {
    id: u64,
    name: String,
    amount: f64,
    tags: Vec<String>,
}

/// Two thousand records, about 200 KiB.
fn document(random: &mut Random) -> String {
    let lines = (0..2_000).map(|id| {
        let (name, amount) = (random.next(), random.next() % 1_000_000);
        format!(
            r#"{{"id": {id}, "name": "n\u00e4me {name:x}", "amount": {amount}.25, "tags": ["a", "\"quoted\"", "{name}"]}}"#
        )
    });
    format!("[{}]", lines.collect::<Vec<_>>().join(",\n"))
}

fn parse(text: &str) -> u64 {
    let lines: Vec<Line> = serde_json::from_str(text).unwrap_or_default();
    lines.iter().fold(0, |sum: u64, line| {
        let texts = line.name.len() + line.tags.iter().map(String::len).sum::<usize>();
        sum.wrapping_add(line.id + texts as u64 + line.amount as u64)
    })
}

/// SHA-256 in plain integers (FIPS 180-4): a library would take the processor's
/// own instructions natively, and measure those. The first eight bytes.
pub(crate) fn sha256(data: &[u8]) -> u64 {
    let mut state = [
        0x6a09_e667_u32,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut padded = data.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(data.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        compress(&mut state, block);
    }
    let [first, second, ..] = state;
    u64::from(first) << 32 | u64::from(second)
}

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0_u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    #[allow(clippy::indexing_slicing, reason = "all constants, all within 64")]
    for at in 16..64 {
        let (a, b) = (w[at - 15], w[at - 2]);
        let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        w[at] = w[at - 16]
            .wrapping_add(s0)
            .wrapping_add(w[at - 7])
            .wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (k, w) in K.iter().zip(w) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let t1 = h
            .wrapping_add(s1)
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(*k)
            .wrapping_add(w);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *old = old.wrapping_add(new);
    }
}

#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
