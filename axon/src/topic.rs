//! Patterns of topics, as `sub.subscribe` and the `on` of emitters have them.

use std::fmt;

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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: String,
}

impl Pattern {
    /// The pattern that `text` says. Every text is one.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole of `topic`.
    #[must_use]
    pub fn is_match(&self, topic: &str) -> bool {
        self.visit(topic, |_| ())
    }

    /// What each `*` stands for, if the pattern matches the whole of `topic`.
    #[must_use]
    pub fn captures<'t>(&self, topic: &'t str) -> Option<Vec<&'t str>> {
        let mut captures = Vec::new();
        let matches = self.visit(topic, |capture| captures.push(capture));
        captures.reverse();
        matches.then_some(captures)
    }

    /// Whether it matches; gives what the stars stand for, last to first.
    ///
    /// The first star takes the most if what follows it lies as far right as can be, and so for
    /// each star. So the parts between stars are placed from the right, each at its last
    /// occurrence that leaves a character to the star behind it. That also leaves the fewest
    /// characters between two parts, thus a line terminator only if every placement has one there:
    /// a terminator must be in a part, and a topic has no more of them than the pattern.
    fn visit<'t>(&self, topic: &'t str, mut capture: impl FnMut(&'t str)) -> bool {
        let mut parts = self.text.split('*');
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
}

fn is_line_terminator(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<T: Into<String>> From<T> for Pattern {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests;
