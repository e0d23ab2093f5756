//! Which model, in one word: an alias, or `PROTOCOL@URL#NAME`.
//!
//! Pure: the text is taken apart, nothing is resolved and nothing is connected
//! to. A host counts as this machine only when its address says so.

use std::net::{Ipv4Addr, Ipv6Addr};

use hotcell_broker::Price;
use hotcell_broker::provider::remote::Protocol;

use super::host::{ApiKey, Chained, DEFAULT_TIMEOUT, Host, Model, Provider};
use super::problem::{Problem, one_of};

/// The alias that `--model` replaces.
pub(crate) const DEFAULT_ALIAS: &str = "default";

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Up to and without the slash before what a protocol adds.
    pub(crate) base_url: String,
    /// The host is `localhost`, in 127.0.0.0/8 or `[::1]`.
    pub(crate) loopback: bool,
}

/// Why a text is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadUrl {
    /// Not a web address.
    #[error("it must start with `http://` or `https://`")]
    Scheme,
    /// A key or password where everybody sees it.
    #[error("a user or password does not belong in a URL")]
    Credentials,
    /// No host, or one with characters that no host has.
    #[error("its host is not a name or an address")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// What comes after the path would end up in the middle.
    #[error("it must end with a path, without `?`, `#` or spaces")]
    Tail,
}

impl Endpoint {
    /// The endpoint of this URL.
    pub(crate) fn parse(url: &str) -> Result<Endpoint, BadUrl> {
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        let rest = rest.ok_or(BadUrl::Scheme)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || "?#\\".contains(c);
        if rest.contains(odd) {
            return Err(BadUrl::Tail);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(BadUrl::Credentials);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(BadUrl::Host)?,
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        if !port.is_empty() {
            let port = port
                .strip_prefix(':')
                .and_then(|port| port.parse::<u16>().ok());
            port.filter(|port| *port > 0).ok_or(BadUrl::Port)?;
        }
        let loopback = if authority.starts_with('[') {
            host.parse::<Ipv6Addr>()
                .map_err(|_| BadUrl::Host)?
                .is_loopback()
        } else {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            if host.is_empty() || !host.chars().all(plain) {
                return Err(BadUrl::Host);
            }
            host.eq_ignore_ascii_case("localhost")
                || host
                    .parse::<Ipv4Addr>()
                    .is_ok_and(|address| address.is_loopback())
        };
        Ok(Endpoint {
            base_url: url.trim_end_matches('/').to_owned(),
            loopback,
        })
    }
}

/// What `--model` says.
#[derive(Clone, Debug)]
pub(crate) enum ModelChoice {
    /// A model of the host file.
    Alias(String),
    /// A server that the host file need not know.
    Server(Box<Model>),
}

/// Takes `--model` and `--price` apart. A server on this machine costs nothing
/// unless a price is given; for any other the price must be. Another host that is
/// reached by `https` is given the key in its protocol's variable; one that needs a
/// different key belongs in the host file.
pub(crate) fn choose(model: &str, price: Option<&str>) -> Result<ModelChoice, Problem> {
    let protocol = |word: &str| Protocol::ALL.into_iter().find(|(known, _)| *known == word);
    let server = model.split_once('@');
    let Some((server, (_, protocol))) =
        server.and_then(|(word, rest)| Some(rest).zip(protocol(word)))
    else {
        return match price {
            None => Ok(ModelChoice::Alias(model.to_owned())),
            Some(_) => Err(Problem::new(format!("`--price` with the alias `{model}`"))
                .help("the price of an alias stands in the host file; leave `--price` out")),
        };
    };
    let form = "write it as `openai@http://127.0.0.1:11434/v1#MODEL`";
    let Some((url, name)) = server
        .split_once('#')
        .filter(|(_, name)| !name.trim().is_empty())
    else {
        return Err(Problem::new(format!("`{model}` does not name a model")).help(form));
    };
    let endpoint = Endpoint::parse(url)
        .map_err(|error| Problem::new(format!("`{url}` is not usable: {error}")).help(form))?;
    let price = match price {
        Some(price) => parse_price(price)?,
        None if endpoint.loopback => Price::default(),
        None => {
            return Err(
                Problem::new(format!("what `{name}` at `{url}` costs is unknown")).help(
                    "add `--price IN,OUT`: micro-dollars for a million input and output tokens",
                ),
            );
        }
    };
    let keyed = !endpoint.loopback && endpoint.base_url.starts_with("https://");
    let variable = protocol.key_variable().filter(|_| keyed);
    let api_key = variable.map(|name| ApiKey::Env(name.to_owned()));
    let provider = Provider::Remote {
        protocol,
        endpoint,
        model: name.to_owned(),
        api_key,
    };
    let model = Model {
        provider,
        price,
        timeout: DEFAULT_TIMEOUT,
        budget: None,
        max_output_tokens: None,
        rate: None,
        record: None,
        chained: Chained::default(),
    };
    Ok(ModelChoice::Server(Box::new(model)))
}

fn parse_price(text: &str) -> Result<Price, Problem> {
    let part = |text: &str| text.trim().parse::<u64>().ok();
    let parts = text
        .split_once(',')
        .and_then(|(input, output)| part(input).zip(part(output)));
    let (input_micros_per_mtok, output_micros_per_mtok) = parts.ok_or_else(|| {
        Problem::new(format!("`{text}` is not a price"))
            .help("write two whole numbers, such as `--price 150000,600000`")
    })?;
    Ok(Price {
        input_micros_per_mtok,
        output_micros_per_mtok,
    })
}

impl Host {
    /// Makes the choice what the alias `default` means.
    pub(crate) fn set_default(&mut self, choice: ModelChoice) -> Result<(), Problem> {
        let model = match choice {
            ModelChoice::Server(model) => *model,
            ModelChoice::Alias(alias) => self.models.get(&alias).cloned().ok_or_else(|| {
                let aliases: Vec<&str> = self.models.keys().map(String::as_str).collect();
                let help = one_of(&alias, "the models", &aliases);
                Problem::new(format!("no model is called `{alias}`")).help(help)
            })?,
        };
        self.models.insert(DEFAULT_ALIAS.to_owned(), model);
        Ok(())
    }
}
