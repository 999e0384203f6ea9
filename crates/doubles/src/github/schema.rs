//! What a document is held against before anything else: GitHub's JSON schemas, in the words of its validator.

use serde_json::Value;

use super::refusal::Refusal;

/// What is wrong with a document.
#[derive(Debug, Default)]
pub struct Complaints(Vec<String>);

impl Complaints {
    /// What must be there.
    pub fn required(&mut self, document: &Value, names: &[&str]) -> &mut Self {
        let missing: Vec<String> = names.iter().filter(|&&name| document.get(name).is_none()).map(|name| quoted(name)).collect();
        match missing.as_slice() {
            [] => {}
            [name] => self.0.push(format!("{name} wasn't supplied.")),
            names => self.0.push(format!("{} weren't supplied.", names.join(", "))),
        }
        self
    }

    /// What must be a text, where it is there.
    pub fn text(&mut self, document: &Value, names: &[&str]) -> &mut Self {
        self.kind(document, names, "a string", Value::is_string)
    }

    /// What must be a whole number, where it is there.
    pub fn integer(&mut self, document: &Value, names: &[&str]) -> &mut Self {
        self.kind(document, names, "an integer", Value::is_i64)
    }

    /// What must be a list, where it is there.
    pub fn list(&mut self, document: &Value, names: &[&str]) -> &mut Self {
        self.kind(document, names, "an array", Value::is_array)
    }

    /// What must be an object, where it is there.
    pub fn object(&mut self, document: &Value, names: &[&str]) -> &mut Self {
        self.kind(document, names, "an object", Value::is_object)
    }

    fn kind(&mut self, document: &Value, names: &[&str], kind: &str, fits: fn(&Value) -> bool) -> &mut Self {
        for name in names {
            if let Some(value) = document.get(name).filter(|&value| !fits(value)) {
                self.0.push(format!("For 'properties/{name}', {} is not {kind}.", shown(value)));
            }
        }
        self
    }

    /// What must be one of these, where it is there.
    pub fn member(&mut self, document: &Value, name: &str, of: &[&str]) -> &mut Self {
        if let Some(text) = document.get(name).and_then(Value::as_str).filter(|text| !of.contains(text)) {
            let members: Vec<String> = of.iter().map(|one| quoted(one)).collect();
            self.0.push(format!("{text} is not a member of [{}].", members.join(", ")));
        }
        self
    }

    /// What may have so many characters.
    pub fn longest(&mut self, document: &Value, name: &str, limit: usize) -> &mut Self {
        let length = document.get(name).and_then(Value::as_str).map_or(0, |text| text.chars().count());
        self.limit(length, limit, "characters")
    }

    /// What may have so many items.
    pub fn most(&mut self, document: &Value, name: &str, limit: usize) -> &mut Self {
        let length = document.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        if length > limit {
            self.0.push(format!("No more than {limit} items are allowed; {length} were supplied."));
        }
        self
    }

    fn limit(&mut self, length: usize, limit: usize, of: &str) -> &mut Self {
        if length > limit {
            self.0.push(format!("Only {limit} {of} are allowed; {length} were supplied."));
        }
        self
    }

    /// What must match a pattern, which is told as GitHub writes it.
    pub fn pattern(&mut self, document: &Value, name: &str, pattern: &str) -> &mut Self {
        if let Some(text) = document.get(name).and_then(Value::as_str)
            && !regex::Regex::new(pattern).unwrap().is_match(text)
        {
            self.0.push(format!("{text} does not match /{}/.", pattern.replace('/', "\\/")));
        }
        self
    }

    /// What must have so many characters.
    pub fn shortest(&mut self, document: &Value, name: &str, limit: usize) -> &mut Self {
        if let Some(text) = document.get(name).and_then(Value::as_str).filter(|text| text.chars().count() < limit) {
            self.0.push(format!("At least {limit} characters are required; only {} were supplied.", text.chars().count()));
        }
        self
    }

    /// What may be there at all.
    pub fn only(&mut self, document: &Value, names: &[&str]) -> &mut Self {
        let others = document.as_object().into_iter().flatten().map(|(name, _)| name).filter(|name| !names.contains(&&***name));
        let others: Vec<String> = others.map(|name| quoted(name)).collect();
        match others.as_slice() {
            [] => {}
            [name] => self.0.push(format!("{name} is not a permitted key.")),
            names => self.0.push(format!("{} are not permitted keys.", names.join(", "))),
        }
        self
    }

    /// A sentence of its own.
    pub fn that(&mut self, wrong: bool, sentence: &str) -> &mut Self {
        if wrong {
            self.0.push(sentence.to_owned());
        }
        self
    }

    /// The refusal, where there is something to complain about.
    pub fn refusal(&self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::invalid(&self.0)) }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        other => other.to_string(),
    }
}
