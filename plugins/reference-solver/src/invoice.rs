//! The fields of an invoice, read where a rule needs them. Amounts are in
//! cents.

use serde_json::{Map, Value};

/// A field that is there: not absent, null, blank or an empty list.
pub(crate) fn field<'a>(invoice: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    invoice.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    })
}

/// A text field that is there.
pub(crate) fn text<'a>(invoice: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    field(invoice, name).and_then(Value::as_str)
}

/// The amount, when it is there as a number.
pub(crate) fn amount(invoice: &Map<String, Value>) -> Option<i64> {
    field(invoice, "amount").and_then(cents)
}

/// What the line items add up to, when there are some and all can be read.
pub(crate) fn total(invoice: &Map<String, Value>) -> Option<i64> {
    let lines = field(invoice, "line_items")?.as_array()?;
    lines.iter().try_fold(0i64, |sum, line| {
        let quantity = line.get("quantity")?.as_i64()?;
        let price = cents(line.get("unit_price")?)?;
        sum.checked_add(quantity.checked_mul(price)?)
    })
}

/// A JSON number in cents, rounded; none beyond what a float keeps exactly.
pub(crate) fn cents(number: &Value) -> Option<i64> {
    let cents = (number.as_f64()? * 100.0).round();
    (cents.abs() < 9e15).then_some(cents as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn money_is_exact_to_the_cent() {
        let line =
            |quantity: Value, price: Value| json!({"quantity": quantity, "unit_price": price});
        for (amount_as, lines, amount_is, total_is) in [
            (
                json!(0.3),
                vec![line(json!(3), json!(0.1))],
                Some(30),
                Some(30),
            ),
            (json!(1234), vec![], Some(123_400), None),
            (
                json!(null),
                vec![line(json!(2), json!(1)), line(json!(1), json!(0.05))],
                None,
                Some(205),
            ),
            (json!("12"), vec![line(json!("2"), json!(1))], None, None),
            (
                json!(1e300),
                vec![line(json!(i64::MAX), json!(1))],
                None,
                None,
            ),
        ] {
            let invoice = json!({ "amount": amount_as, "line_items": lines });
            let invoice = invoice.as_object().unwrap();
            assert_eq!(
                (amount(invoice), total(invoice)),
                (amount_is, total_is),
                "{invoice:?}"
            );
        }
    }
}
