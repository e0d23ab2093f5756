//! What a model costs: written beside it, or found under its exact name in a table.
//!
//! A name that is not in a table has no price, however much it looks like one that
//! is: another case, a new date, a shorter form. What the built-in table says is
//! believed of the vendor's own server alone; others charge what they like.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hotcell_broker::Price;
use serde::Deserialize;

use crate::manifest::endpoint::Endpoint;
use crate::manifest::reader::{Reader, Table};
use crate::manifest::tree::{Kind, Node};

/// How a price is written.
pub(super) const WRITTEN: &str = "say what a million tokens cost in micro-dollars, 0 if nothing: \
     `price = { input_micros_per_mtok = …, output_micros_per_mtok = … }`";

/// The longest table: 1 MiB.
const LONGEST: u64 = 1 << 20;

/// One line of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    input_micros_per_mtok: u64,
    output_micros_per_mtok: u64,
    /// The day on which this was the price.
    #[expect(dead_code, reason = "for whoever reads the table")]
    as_of: toml::value::Date,
    /// Who says so.
    #[expect(dead_code, reason = "for whoever reads the table")]
    from: String,
    /// The host that charges it; any, if it is left out.
    host: Option<String>,
}

/// Prices by the exact names of models.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices(BTreeMap<String, Listed>);

impl Prices {
    /// The table that is built in.
    pub(crate) fn built_in() -> Prices {
        Prices::parse(include_str!("prices.toml")).unwrap_or_default()
    }

    fn parse(text: &str) -> Result<Prices, toml::de::Error> {
        toml::from_str(text).map(Prices)
    }

    /// What a model costs at an endpoint, if the table says so.
    pub(crate) fn of(&self, endpoint: &Endpoint, model: &str) -> Option<Price> {
        let listed = self.0.get(model)?;
        let charges = |host: &String| host.eq_ignore_ascii_case(endpoint.host());
        listed.host.as_ref().is_none_or(charges).then_some(Price {
            input_micros_per_mtok: listed.input_micros_per_mtok,
            output_micros_per_mtok: listed.output_micros_per_mtok,
        })
    }
}

/// The built-in table with what a file says; the file counts where both name one.
pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Prices> {
    let path = reader.file(node, "prices")?;
    match load(&path) {
        Ok(own) => {
            let mut prices = Prices::built_in();
            prices.0.extend(own.0);
            Some(prices)
        }
        Err(why) => {
            let help = "write each model as `[\"NAME\"]` with `input_micros_per_mtok`, \
                        `output_micros_per_mtok`, `as_of = 2026-01-31` and `from`";
            let message = format!("`{}` is no table of prices", path.display());
            reader.wrong(&node.span, message, why, help);
            None
        }
    }
}

fn load(path: &Path) -> Result<Prices, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > LONGEST {
        return Err("it is longer than 1 MiB".to_owned());
    }
    Prices::parse(&text).map_err(|error| error.message().to_owned())
}

/// The price of a model on a server: as written, or from the table when it is left
/// out or says `"table"`.
pub(super) fn of_server(
    reader: &mut Reader,
    table: &Table<'_>,
    model: &Node,
    prices: &Prices,
    (endpoint, name): (&Endpoint, &str),
) -> Option<Price> {
    let node = match table.get("price") {
        Some(node) => match &node.kind {
            Kind::Text(word) if word == "table" => node,
            _ => return written(reader, node),
        },
        None => model,
    };
    let known = prices.of(endpoint, name);
    if known.is_none() {
        let message = format!("what `{name}` costs at `{}` is unknown", endpoint.base_url);
        let label = "the table of prices has no such model there";
        reader.wrong(&node.span, message, label, WRITTEN);
    }
    known
}

/// A price as it stands beside a model.
pub(super) fn written(reader: &mut Reader, node: &Node) -> Option<Price> {
    let keys = ["input_micros_per_mtok", "output_micros_per_mtok"];
    let table = reader.table(node, "`price`", &keys)?;
    let mut part = |key: &str| {
        let node = reader.require(&table, key, WRITTEN)?;
        reader.whole(node, key, 0..=u64::MAX)
    };
    let [input, output] = keys.map(&mut part);
    Some(Price {
        input_micros_per_mtok: input?,
        output_micros_per_mtok: output?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap()
    }

    #[test]
    fn a_price_is_found_under_the_exact_name_and_at_the_vendors_own_server() {
        let prices = Prices::parse(include_str!("prices.toml")).unwrap();
        let openai = "https://api.openai.com/v1";
        let table = [
            (openai, "gpt-4o-mini-2024-07-18", Some((150_000, 600_000))),
            (
                "https://API.openai.com:443",
                "gpt-4o-mini-2024-07-18",
                Some((150_000, 600_000)),
            ),
            (
                "https://api.openai.com.example.com/v1",
                "gpt-4o-mini-2024-07-18",
                None,
            ),
            ("http://127.0.0.1:1/v1", "gpt-4o-mini-2024-07-18", None),
            (openai, "gpt-4o-mini", None),
            (openai, "GPT-4o-mini-2024-07-18", None),
            (openai, "gpt-4o-mini-2031-07-18", None),
            (openai, " gpt-4o-mini-2024-07-18", None),
            (openai, "", None),
        ];
        for (url, name, expected) in table {
            let price = prices.of(&endpoint(url), name);
            let price = price.map(|it| (it.input_micros_per_mtok, it.output_micros_per_mtok));
            assert_eq!(price, expected, "{url} {name}");
        }
        // A model that is listed is never free.
        for (name, listed) in &prices.0 {
            assert!(listed.input_micros_per_mtok > 0, "{name}");
            assert!(listed.host.is_some(), "{name}");
        }
    }

    #[test]
    fn a_table_with_a_slip_is_no_table() {
        let good = "[\"m\"]\ninput_micros_per_mtok = 1\noutput_micros_per_mtok = 2\n\
                    as_of = 2026-01-31\nfrom = \"them\"\n";
        assert!(Prices::parse(good).is_ok());
        for (from, to) in [
            ("= 1\n", "= -1\n"),
            ("= 1\n", "= 1.5\n"),
            ("output_micros_per_mtok = 2\n", ""),
            ("2026-01-31", "\"yesterday\""),
            ("from", "form"),
            ("from = \"them\"\n", "from = \"them\"\n[\"m\"]\n"),
        ] {
            assert!(Prices::parse(&good.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
