//! JSON as conditions see it: an integer stays an integer, objects are walked in
//! the order of their keys, every time.

use std::any::Any;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as Lend, Sizer};
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelNull, CelString, CelUInt, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, StaticVal, Val};
use serde_json::Value;

pub(super) type Boxed = Box<dyn Val>;

/// The value of a JSON text; null if it is none, which outputs always are.
pub(super) fn parse(text: &str) -> Boxed {
    value(serde_json::from_str(text).unwrap_or_default())
}

fn value(value: Value) -> Boxed {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(it) => Box::new(CelBool::from(it)),
        Value::String(it) => Box::new(CelString::from(it)),
        Value::Array(it) => list(it.into_iter().map(self::value)),
        Value::Object(it) => object(it.into_iter().map(|(key, it)| (key, self::value(it)))),
        Value::Number(it) => match (it.as_i64(), it.as_u64(), it.as_f64()) {
            (Some(it), ..) => Box::new(CelInt::from(it)),
            (_, Some(it), _) => Box::new(CelUInt::from(it)),
            (.., it) => Box::new(CelDouble::from(it.unwrap_or(f64::NAN))),
        },
    }
}

pub(super) fn int(it: u32) -> Boxed {
    Box::new(CelInt::from(i64::from(it)))
}

pub(super) fn string(it: &str) -> Boxed {
    Box::new(CelString::from(it.to_owned()))
}

pub(super) fn list(items: impl Iterator<Item = Boxed>) -> Boxed {
    Box::new(CelList::from(items.collect::<Vec<_>>()))
}

pub(super) fn object(entries: impl Iterator<Item = (String, Boxed)>) -> Boxed {
    Box::new(Object::of(entries))
}

/// A JSON object. CEL's own map is walked in another order each time.
#[derive(Debug)]
struct Object(Vec<(CelString<'static>, Boxed)>);

impl Object {
    fn of(entries: impl Iterator<Item = (String, Boxed)>) -> Object {
        let mut entries: Vec<(String, Boxed)> = entries.collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let entries = entries.into_iter();
        Object(
            entries
                .map(|(key, it)| (CelString::from(key), it))
                .collect(),
        )
    }

    fn find(&self, key: &str) -> Option<&Boxed> {
        let at = self
            .0
            .binary_search_by(|(it, _)| it.inner().cmp(key))
            .ok()?;
        self.0.get(at).map(|(_, it)| it)
    }
}

/// The name that is asked for, or why it is none.
fn key(index: &dyn Val) -> Result<&str, ExecutionError> {
    let key = index.downcast_ref::<CelString<'_>>().map(CelString::inner);
    key.ok_or_else(|| ExecutionError::UnexpectedType {
        got: index.get_type().name().to_owned(),
        want: "string".to_owned(),
    })
}

impl Val for Object {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    // There are no other maps: conditions have no literals for them.
    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Object>().is_some_and(|other| {
            let mut pairs = self.0.iter().zip(&other.0);
            self.0.len() == other.0.len()
                && pairs.all(|((k, v), (l, w))| k.inner() == l.inner() && v.equals(w.as_ref()))
        })
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        let entry = |(key, it): &(CelString<'static>, Boxed)| (key.clone(), it.clone_as_boxed());
        Box::new(Object(self.0.iter().map(entry).collect()))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Object {}

impl Container for Object {
    fn contains(&self, index: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key(index)?).is_some())
    }
}

impl Indexer for Object {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key(index)?;
        match self.find(key) {
            Some(it) => Ok(CowVal::Borrowed(it.as_ref())),
            None => Err(ExecutionError::no_such_key(key)),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Iterable for Object {
    fn iter<'b, 'v>(&'b self) -> Box<dyn Lend<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Keys(self.0.iter()))
    }
}

impl Sizer for Object {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.0.len()).unwrap_or(i64::MAX))
    }
}

struct Keys<'b>(std::slice::Iter<'b, (CelString<'static>, Boxed)>);

impl<'b, 'v> Lend<'b, 'v> for Keys<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        let (key, _) = self.0.next()?;
        Some(key)
    }
}
