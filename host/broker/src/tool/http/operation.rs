//! One request as it is described, and made from a guest's values. Pure.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Map, Value};
use url::Url;

use super::{IDEMPOTENCY_KEY, Server};
use crate::egress::is_the_hosts;
use crate::egress::origin::{METHODS, Origin};
use crate::tool::ToolSpec;
use crate::tool::registry::is_tool_name;

/// The longest URL that is asked for, in bytes.
const URL: usize = 8 << 10;

/// What a request's body is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// A JSON object of these arguments.
    Fields(BTreeSet<String>),
    /// This argument alone, as JSON.
    Whole(String),
}

/// A request, with a place for each argument.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What guests know of it.
    pub spec: ToolSpec,
    /// `GET`, for example.
    pub method: String,
    /// Such as `/v1/forecast/{city}`.
    pub path: String,
    /// Arguments that go into the query.
    pub query: BTreeSet<String>,
    /// Arguments that go into a header, each with its name.
    pub headers: BTreeMap<String, String>,
    /// What the body is made of.
    pub body: Body,
}

/// Why an operation cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tool `{tool}`: {why}")]
pub struct BadOperation {
    /// The tool.
    pub tool: String,
    /// What is wrong.
    pub why: String,
}

/// A path's segment: texts and the arguments between them.
enum Piece<'a> {
    Text(&'a str),
    Argument(&'a str),
}

/// Takes a segment such as `{year}-{month}.json` apart.
fn pieces(segment: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = segment;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or("a `{` in its path has no `}`")?;
        pieces.push(Piece::Text(text));
        pieces.push(Piece::Argument(name));
        rest = after;
    }
    if rest.contains('}') {
        return Err("a `}` in its path has no `{`".to_owned());
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

impl Operation {
    fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').skip(1)
    }

    /// Refuses what could not work, or would leave it open what goes where.
    pub(super) fn check(&self, server: &Server) -> Result<(), BadOperation> {
        self.find_fault(server).map_err(|why| BadOperation {
            tool: self.spec.name.clone(),
            why,
        })
    }

    fn find_fault(&self, server: &Server) -> Result<(), String> {
        if !is_tool_name(&self.spec.name) {
            return Err("that is no tool's name".to_owned());
        }
        let odd = |c: char| c.is_control() || c.is_whitespace() || "?#\\%".contains(c);
        if !self.path.starts_with('/') || self.path.contains(odd) {
            return Err("its path must start with `/` and have no query".to_owned());
        }
        if self.segments().any(|it| matches!(it, "." | "..")) {
            return Err("its path leads out of itself".to_owned());
        }
        if !METHODS.contains(&self.method.as_str()) {
            return Err("its method is none that can be asked for".to_owned());
        }
        let bodiless = ["GET", "HEAD", "DELETE"].contains(&self.method.as_str());
        if bodiless && self.body != Body::None {
            return Err(format!("a {} has no body", self.method));
        }
        let schema: Value = serde_json::from_str(&self.spec.input_schema)
            .map_err(|e| format!("its input schema is not JSON: {e}"))?;
        let properties = schema.get("properties").and_then(Value::as_object);
        let known: BTreeSet<&str> = properties
            .into_iter()
            .flat_map(|it| it.keys().map(String::as_str))
            .collect();
        let required = schema.get("required").and_then(Value::as_array);
        let required: Vec<&str> = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();

        let mut placed: Vec<&str> = Vec::new();
        for segment in self.segments() {
            for piece in pieces(segment)? {
                let Piece::Argument(name) = piece else {
                    continue;
                };
                if !required.contains(&name) {
                    return Err(format!(
                        "`{name}` is in its path and must be in `required` of its input schema"
                    ));
                }
                placed.push(name);
            }
        }
        placed.extend(self.query.iter().map(String::as_str));
        for (name, header) in &self.headers {
            can_be_set(header, server)?;
            placed.push(name);
        }
        match &self.body {
            Body::None => {}
            Body::Fields(names) => placed.extend(names.iter().map(String::as_str)),
            Body::Whole(name) => placed.push(name),
        }
        let mut seen = BTreeSet::new();
        for name in placed {
            if !known.contains(name) {
                return Err(format!("`{name}` is not a property of its input schema"));
            }
            if !seen.insert(name) {
                return Err(format!("`{name}` has two places in its request"));
            }
        }
        match known.difference(&seen).next() {
            Some(name) => Err(format!("`{name}` has no place in its request")),
            None => Ok(()),
        }
    }

    /// The request with these values in their places.
    pub(super) fn request(
        &self,
        server: &Server,
        arguments: &Map<String, Value>,
    ) -> Result<reqwest::Request, String> {
        let mut url = Url::parse(&server.origin.to_string()).map_err(|e| e.to_string())?;
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| "the origin has no path".to_owned())?;
            path.clear();
            for segment in self.segments() {
                path.push(&filled(segment, arguments)?);
            }
        }
        let mut used: BTreeSet<&str> = self.in_path();
        for name in &self.query {
            used.insert(name);
            for value in values(name, arguments.get(name))? {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        if url.as_str().len() > URL || Origin::of(&url).as_ref() != Ok(&server.origin) {
            return Err("these values make no URL that can be asked for".to_owned());
        }
        let method = Method::try_from(self.method.as_str()).map_err(|e| e.to_string())?;
        let mut request = reqwest::Request::new(method, url);
        for (name, header) in &self.headers {
            used.insert(name);
            let Some(value) = scalar(name, arguments.get(name))? else {
                continue;
            };
            let bad = |_| format!("at `/{name}`: it cannot stand in a header");
            let value = HeaderValue::try_from(value).map_err(bad)?;
            let header = HeaderName::try_from(header).map_err(|e| e.to_string())?;
            request.headers_mut().insert(header, value);
        }
        let body = match &self.body {
            Body::None => None,
            Body::Whole(name) => {
                used.insert(name);
                arguments.get(name).map(Value::to_string)
            }
            Body::Fields(names) => {
                used.extend(names.iter().map(String::as_str));
                let of = |name: &String| Some((name.clone(), arguments.get(name)?.clone()));
                let fields: Map<String, Value> = names.iter().filter_map(of).collect();
                Some(Value::Object(fields).to_string())
            }
        };
        if let Some(name) = arguments.keys().find(|name| !used.contains(name.as_str())) {
            let name = crate::text::line(name, 160);
            return Err(format!("at `/{name}`: it has no place in the request"));
        }
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::CONTENT_TYPE, json);
            *request.body_mut() = Some(body.into());
        }
        Ok(request)
    }

    fn in_path(&self) -> BTreeSet<&str> {
        let pieces = self.segments().filter_map(|it| pieces(it).ok()).flatten();
        pieces
            .filter_map(|piece| match piece {
                Piece::Argument(name) => Some(name),
                Piece::Text(_) => None,
            })
            .collect()
    }
}

/// Refuses a header that is the host's or the credential's.
fn can_be_set(name: &str, server: &Server) -> Result<(), String> {
    let bad = || format!("its header `{name}` cannot be set by a guest");
    let header = HeaderName::try_from(name).map_err(|_| bad())?;
    let ours = [
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::AUTHORIZATION,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::COOKIE,
        IDEMPOTENCY_KEY,
    ];
    let credential = server.credential.as_ref();
    let shown = credential.is_some_and(|it| *it.name() == header);
    match ours.contains(&header) || is_the_hosts(&header) || shown {
        true => Err(bad()),
        false => Ok(()),
    }
}

/// A segment with its values. Escaping is the URL's; what it would take for a
/// step up or sideways is refused.
fn filled(segment: &str, arguments: &Map<String, Value>) -> Result<String, String> {
    let mut out = String::new();
    for piece in pieces(segment)? {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Argument(name) => {
                let value = scalar(name, arguments.get(name))?;
                let value = value.ok_or_else(|| format!("at `/{name}`: it is missing"))?;
                // A server may decode twice, or take either slash for its own.
                let odd = |c: char| c.is_control() || "/\\%".contains(c);
                if value.is_empty() || value.contains(odd) || value.contains("..") {
                    return Err(format!("at `/{name}`: it cannot stand in a path"));
                }
                out.push_str(&value);
            }
        }
    }
    match out.as_str() {
        "." | ".." => Err("these values lead out of the path".to_owned()),
        _ => Ok(out),
    }
}

/// A text, a number or a truth as text.
fn scalar(name: &str, value: Option<&Value>) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(truth)) => Ok(Some(truth.to_string())),
        Some(_) => Err(format!(
            "at `/{name}`: a text, a number or a truth is needed there"
        )),
    }
}

/// One value, or the values of a list.
fn values(name: &str, value: Option<&Value>) -> Result<Vec<String>, String> {
    let each = match value {
        Some(Value::Array(items)) => items.iter().collect(),
        one => Vec::from_iter(one),
    };
    let texts = each.into_iter().map(|it| scalar(name, Some(it)));
    texts.filter_map(Result::transpose).collect()
}
