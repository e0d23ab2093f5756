//! Values of a stranger's JSON, read one by one, each with its place.

use serde_json::Value;

use super::CompatError;

/// The longest text that is read, in bytes.
const MOST_TEXT: usize = 400;

/// The largest amount, either way: beyond it cents are no longer exact.
const MOST_MONEY: f64 = 1e12;

/// A value and where it stands.
pub(super) struct Field<'v> {
    file: &'static str,
    /// A JSON pointer; its names are ours, never the file's.
    place: String,
    value: &'v Value,
}

impl<'v> Field<'v> {
    /// The whole file.
    pub(super) fn of(file: &'static str, value: &'v Value) -> Field<'v> {
        Field {
            file,
            place: String::new(),
            value,
        }
    }

    pub(super) fn value(&self) -> &'v Value {
        self.value
    }

    /// That this value is not what is expected here.
    pub(super) fn wrong(&self, what: &'static str) -> CompatError {
        CompatError::Shape {
            file: self.file,
            place: match self.place.is_empty() {
                true => "/".to_owned(),
                false => self.place.clone(),
            },
            what,
        }
    }

    /// The field of this name; none when it is not there, or null.
    pub(super) fn get(&self, key: &str) -> Result<Option<Field<'v>>, CompatError> {
        let Some(fields) = self.value.as_object() else {
            return Err(self.wrong("expected an object"));
        };
        let field = |value| Field {
            file: self.file,
            place: format!("{}/{key}", self.place),
            value,
        };
        Ok(fields.get(key).filter(|value| !value.is_null()).map(field))
    }

    /// The field of this name, which has to be there.
    pub(super) fn need(&self, key: &str) -> Result<Field<'v>, CompatError> {
        let missing = || {
            let place = format!("{}/{key}", self.place);
            let (file, value) = (self.file, self.value);
            Field { file, place, value }.wrong("it is missing")
        };
        self.get(key)?.ok_or_else(missing)
    }

    /// The items of a list that is not too long.
    pub(super) fn items(&self, most: usize) -> Result<Vec<Field<'v>>, CompatError> {
        let items = self.value.as_array();
        let items = items.ok_or_else(|| self.wrong("expected a list"))?;
        if items.len() > most {
            return Err(self.wrong("the list is too long"));
        }
        let item = |(at, value)| Field {
            file: self.file,
            place: format!("{}/{at}", self.place),
            value,
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A text of some length without control characters.
    pub(super) fn text(&self) -> Result<String, CompatError> {
        let text = self.value.as_str();
        let text = text.ok_or_else(|| self.wrong("expected a text"))?;
        if text.len() > MOST_TEXT {
            return Err(self.wrong("the text is too long"));
        }
        match text.contains(char::is_control) {
            true => Err(self.wrong("the text has control characters")),
            false => Ok(text.to_owned()),
        }
    }

    /// A text that is not empty.
    pub(super) fn id(&self) -> Result<String, CompatError> {
        let id = self.text()?;
        match id.trim().is_empty() {
            true => Err(self.wrong("expected an id")),
            false => Ok(id),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, CompatError> {
        let flag = self.value.as_bool();
        flag.ok_or_else(|| self.wrong("expected true or false"))
    }

    pub(super) fn number(&self) -> Result<f64, CompatError> {
        let number = self.value.as_f64().filter(|it| it.is_finite());
        number.ok_or_else(|| self.wrong("expected a number"))
    }

    /// Money, in whole cents.
    pub(super) fn cents(&self) -> Result<i64, CompatError> {
        let money = self.number()?;
        match money.abs() <= MOST_MONEY {
            true => Ok((money * 100.0).round() as i64),
            false => Err(self.wrong("the amount is too large")),
        }
    }

    /// What `read` makes of the field of this name, if it is there.
    pub(super) fn maybe<T>(
        &self,
        key: &str,
        read: fn(&Field<'v>) -> Result<T, CompatError>,
    ) -> Result<Option<T>, CompatError> {
        self.get(key)?.map(|field| read(&field)).transpose()
    }
}
