//! Patterns of topics, as `sub.subscribe` and the `on` of emitters have them.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use regex::Regex;

/// A pattern of topics. A `*` stands for one character or more, whichever they are but line
/// terminators, and captures them; everything else stands for itself. There is no way to write a
/// star that stands for itself.
///
/// A pattern is compared with the whole topic, and each `*` takes as much as it can, the first one
/// first. A topic that is no text is compared as JavaScript prints it
/// ([`Arg::topic`](crate::Arg::topic)).
///
/// Matching takes time in proportion to the topic, whatever the pattern. It is axon's but for one
/// thing: there a character outside of Unicode's first plane counts as two, and `**` splits it.
///
/// ```
/// use ferrozmq_axon::Pattern;
///
/// let pattern = Pattern::new("user:*:*");
/// assert_eq!(pattern.captures("user:a:b:c"), Some(vec!["a:b", "c"]));
/// assert!(!pattern.is_match("user:tobi"));
/// assert!(!pattern.is_match("user:tobi:"));
/// ```
///
/// A regular expression is a pattern, too. It need not match the whole topic, unless it says so with `^`
/// and `$`, and its groups are what it captures. Look-around and references back, which JavaScript
/// has, [`Regex`] has not: it takes time in proportion to the topic, too.
///
/// ```
/// use ferrozmq_axon::{Pattern, Regex};
///
/// # fn main() -> Result<(), regex::Error> {
/// let pattern = Pattern::from(Regex::new(r"^user:(\d+)(?::(\w+))?")?);
/// assert_eq!(pattern.captures("user:7:login"), Some(vec!["7", "login"]));
/// assert_eq!(pattern.captures("user:7"), Some(vec!["7", ""]));
/// assert!(!pattern.is_match("user:tobi"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pattern(Form);

#[derive(Clone)]
enum Form {
    /// Text with stars.
    Stars(String),
    Regex(Regex),
}

impl Pattern {
    /// The pattern that `text` says. Every text is one.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Form::Stars(text.into()))
    }

    /// Its text, or that of the regular expression.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Stars(text) => text,
            Form::Regex(regex) => regex.as_str(),
        }
    }

    /// Whether it matches `topic`.
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        match &self.0 {
            Form::Stars(text) => visit(text, topic, |_| ()),
            Form::Regex(regex) => regex.is_match(topic),
        }
    }

    /// What each `*`, or each group of the regular expression, stands for, if the pattern matches
    /// `topic`. A group that took no part, `undefined` in JavaScript, stands for nothing: `""`.
    #[must_use]
    pub fn captures<'t>(&self, topic: &'t str) -> Option<Vec<&'t str>> {
        match &self.0 {
            Form::Stars(text) => {
                let mut captures = Vec::new();
                let matches = visit(text, topic, |capture| captures.push(capture));
                captures.reverse();
                matches.then_some(captures)
            }
            Form::Regex(regex) => {
                let captures = regex.captures(topic)?;
                let groups = captures.iter().skip(1);
                Some(
                    groups
                        .map(|group| group.map_or("", |group| group.as_str()))
                        .collect(),
                )
            }
        }
    }
}

/// Whether text with stars matches; gives what the stars stand for, last to first.
///
/// The first star takes the most if what follows it lies as far right as can be, and so for
/// each star. So the parts between stars are placed from the right, each at its last
/// occurrence that leaves a character to the star behind it. That also leaves the fewest
/// characters between two parts, thus a line terminator only if every placement has one there:
/// a terminator must be in a part, and a topic has no more of them than the pattern.
fn visit<'t>(text: &str, topic: &'t str, mut capture: impl FnMut(&'t str)) -> bool {
    let mut parts = text.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else {
        return topic == first;
    };
    let Some(mut rest) = topic
        .strip_prefix(first)
        .and_then(|rest| rest.strip_suffix(last))
    else {
        return false;
    };
    let mut star = |text: &'t str| {
        let matches = !text.is_empty() && !text.contains(is_line_terminator);
        capture(text);
        matches
    };
    for part in parts.rev() {
        let mut left = rest.chars();
        if left.next_back().is_none() {
            return false;
        }
        let Some(at) = left.as_str().rfind(part) else {
            return false;
        };
        if !star(&rest[at + part.len()..]) {
            return false;
        }
        rest = &rest[..at];
    }
    star(rest)
}

fn is_line_terminator(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// Patterns are equal if they are of one kind and have the same text.
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.is_regex() == other.is_regex() && self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.is_regex().hash(state);
        self.as_str().hash(state);
    }
}

impl Pattern {
    fn is_regex(&self) -> bool {
        matches!(self.0, Form::Regex(_))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Stars(text) => fmt::Debug::fmt(text, f),
            Form::Regex(regex) => write!(f, "/{regex}/"),
        }
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Pattern {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

impl From<Cow<'_, str>> for Pattern {
    fn from(text: Cow<'_, str>) -> Self {
        Self::new(text)
    }
}

impl From<Regex> for Pattern {
    fn from(regex: Regex) -> Self {
        Self(Form::Regex(regex))
    }
}

#[cfg(test)]
mod tests;
