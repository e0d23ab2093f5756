//! What the agent answers, read leniently from what a model wrote: spellings
//! are normalised, blanks become null, doubts are told once. What cannot be
//! read is an error that the model gets back.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

use crate::{date, money};

/// The fields of an invoice.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extraction {
    pub(crate) invoice_id: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) vendor: Option<String>,
    #[serde(default, deserialize_with = "money::optional")]
    pub(crate) amount: Option<f64>,
    #[serde(default, deserialize_with = "iso_date")]
    pub(crate) date: Option<String>,
    #[serde(default, deserialize_with = "lower_case")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(crate) line_items: Vec<LineItem>,
    #[serde(default, deserialize_with = "distinct")]
    pub(crate) doubts: Vec<Doubt>,
}

/// One line of an invoice.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LineItem {
    pub(crate) description: String,
    #[serde(deserialize_with = "whole")]
    pub(crate) quantity: i64,
    #[serde(deserialize_with = "money::required")]
    pub(crate) unit_price: f64,
}

/// Something that is not as it should be on the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doubt {
    pub(crate) field: Field,
    pub(crate) code: Code,
}

/// A field that can be doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Field {
    Vendor,
    Amount,
    Date,
    Status,
    LineItems,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    Missing,
    UnknownVendor,
    TotalMismatch,
}

fn text<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(json)?;
    Ok(text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty()))
}

fn iso_date<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    Ok(text(json)?.map(|text| date::normalised(&text)))
}

fn lower_case<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    Ok(text(json)?.map(|text| text.to_lowercase()))
}

/// Null is an empty list.
fn list<'de, D, T>(json: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(json)?.unwrap_or_default())
}

fn distinct<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<Doubt>, D::Error> {
    let mut doubts: Vec<Doubt> = Vec::new();
    for doubt in list::<D, Doubt>(json)? {
        if !doubts.contains(&doubt) {
            doubts.push(doubt);
        }
    }
    Ok(doubts)
}

/// A whole number, also when it is spelled `3.0` or `"3"`.
fn whole<'de, D: Deserializer<'de>>(json: D) -> Result<i64, D::Error> {
    json.deserialize_any(Whole)
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<i64, E> {
        // Beyond this a floating point number skips whole ones.
        let exact = number.fract() == 0.0 && number.abs() < 9e15;
        if exact {
            Ok(number as i64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        text.trim()
            .parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(value: Value) -> Result<Extraction, serde_json::Error> {
        from_value(value)
    }

    #[test]
    fn spellings_are_normalised() {
        let extraction = read(json!({
            "invoice_id": "INV-2024-001",
            "vendor": " Acme Corp ",
            "amount": "$1,234.50",
            "date": "March 3, 2024",
            "status": "Paid",
            "line_items": [
                { "description": "Paper", "quantity": "3", "unit_price": "400,00" },
                { "description": "Ink", "quantity": 1.0, "unit_price": 34.5 },
            ],
            "doubts": [
                { "field": "vendor", "code": "unknown-vendor" },
                { "field": "vendor", "code": "unknown-vendor" },
            ],
        }));
        let expected = json!({
            "invoice_id": "INV-2024-001",
            "vendor": "Acme Corp",
            "amount": 1234.5,
            "date": "2024-03-03",
            "status": "paid",
            "line_items": [
                { "description": "Paper", "quantity": 3, "unit_price": 400.0 },
                { "description": "Ink", "quantity": 1, "unit_price": 34.5 },
            ],
            "doubts": [{ "field": "vendor", "code": "unknown-vendor" }],
        });
        assert_eq!(serde_json::to_value(extraction.unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_is_blank_or_left_out_is_null() {
        let extraction = read(json!({
            "invoice_id": "INV-2024-001", "vendor": "  ", "amount": "", "date": null,
            "line_items": null, "doubts": null,
        }));
        let extraction = extraction.unwrap();
        assert_eq!(extraction.vendor, None);
        assert_eq!(extraction.amount, None);
        assert_eq!(extraction.date, None);
        assert_eq!(extraction.status, None);
        assert!(extraction.line_items.is_empty() && extraction.doubts.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_an_error_for_the_model() {
        let line = |quantity: Value, price: Value| json!([{ "description": "x", "quantity": quantity, "unit_price": price }]);
        for (field, value, told) in [
            (
                "amount",
                json!("a lot"),
                "invalid value: string \"a lot\", expected an amount",
            ),
            (
                "amount",
                json!(true),
                "invalid type: boolean `true`, expected an amount",
            ),
            (
                "line_items",
                line(json!(1.5), json!(1)),
                "invalid value: floating point `1.5`",
            ),
            (
                "line_items",
                line(json!(1), json!(null)),
                "invalid type: null, expected an amount",
            ),
            (
                "doubts",
                json!([{ "field": "vendor", "code": "ugly" }]),
                "unknown variant `ugly`",
            ),
            (
                "invoice_id",
                json!(null),
                "invalid type: null, expected a string",
            ),
        ] {
            let mut answer = json!({ "invoice_id": "INV-2024-001" });
            answer[field] = value;
            let error = read(answer).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
