use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::fuzzing;

fn captures<'t>(pattern: &str, topic: &'t str) -> Option<Vec<&'t str>> {
    Pattern::new(pattern).captures(topic)
}

#[test]
fn without_a_star_a_pattern_is_the_topic() {
    assert_eq!(captures("foo", "foo"), Some(vec![]));
    assert_eq!(captures("foo", "foobar"), None);
    assert_eq!(captures("foo", "Foo"), None);
    assert_eq!(captures("", ""), Some(vec![]));
    assert_eq!(captures("", "x"), None);
    assert_eq!(captures("a.c", "abc"), None);
    assert_eq!(captures("x\ny", "x\ny"), Some(vec![]));
}

#[test]
fn a_regular_expression_is_used_as_it_is() {
    let pattern = Pattern::from(Regex::new("b(x)?(.)").unwrap());
    assert_eq!(pattern.captures("abcd"), Some(vec!["", "c"]));
    assert_eq!(pattern.captures("bx!"), Some(vec!["x", "!"]));
    assert!(pattern.is_match("a bit") && !pattern.is_match("B!"));
    assert_eq!(pattern, Pattern::from(Regex::new("b(x)?(.)").unwrap()));
    assert_ne!(pattern, Pattern::new("b(x)?(.)"));
    assert_eq!(
        (pattern.as_str(), format!("{pattern:?}")),
        ("b(x)?(.)", "/b(x)?(.)/".to_owned())
    );
}

#[test]
fn a_star_takes_a_character_at_least() {
    assert_eq!(captures("*", "x"), Some(vec!["x"]));
    assert_eq!(captures("*", ""), None);
    assert_eq!(captures("user:*", "user:"), None);
    assert_eq!(captures("*:x", ":x"), None);
    assert_eq!(captures("a*a", "aa"), None);
    assert_eq!(
        captures("aba*aba", "ababa"),
        None,
        "the two parts do not overlap"
    );
}

#[test]
fn the_first_star_takes_the_most() {
    assert_eq!(captures("user:*:*", "user:a:b:c"), Some(vec!["a:b", "c"]));
    assert_eq!(captures("**", "abc"), Some(vec!["ab", "c"]));
    assert_eq!(captures("***", "abcd"), Some(vec!["ab", "c", "d"]));
    assert_eq!(captures("*aa*", "xaaaay"), Some(vec!["xaa", "y"]));
    assert_eq!(captures("**", "é🚀"), Some(vec!["é", "🚀"]));
}

#[test]
fn a_star_takes_no_line_terminator() {
    for end in ["\n", "\r", "\u{2028}", "\u{2029}"] {
        assert_eq!(captures("*", &format!("a{end}b")), None);
        assert_eq!(captures("*:*", &format!("a:b{end}")), None);
        assert_eq!(
            captures(&format!("*{end}*"), &format!("a{end}b")),
            Some(vec!["a", "b"])
        );
    }
    assert_eq!(
        captures("*", "a\u{85}\u{b}\u{c}b"),
        Some(vec!["a\u{85}\u{b}\u{c}b"])
    );
}

#[test]
fn a_pattern_of_many_stars_is_no_burden() {
    let pattern = Pattern::new("a*".repeat(10_000));
    assert!(!pattern.is_match(&"a".repeat(19_999)));
    assert!(pattern.is_match(&"a".repeat(20_000)));
    assert!(!pattern.is_match(&("a".repeat(100_000) + "\n")));
}

proptest! {
    /// What axon says: each star is a group, in a regular expression that leans to the left.
    #[test]
    fn patterns_are_regular_expressions(pattern in "[ab*\n]{0,8}", topic in "[ab\nü]{0,10}") {
        let parts: Vec<_> = pattern.split('*').map(regex::escape).collect();
        let star = "([^\n\r\u{2028}\u{2029}]+)";
        let regex = Regex::new(&format!("^{}$", parts.join(star))).unwrap();
        let expected = regex.captures(&topic).map(|found| {
            found.iter().skip(1).flatten().map(|group| group.as_str()).collect::<Vec<_>>()
        });
        prop_assert_eq!(captures(&pattern, &topic), expected);
    }

    #[test]
    fn any_text(text in any::<String>()) {
        fuzzing::topic(text.as_bytes());
    }

    #[test]
    fn captures_in_place_of_stars_are_the_topic(pattern in "[ab*]{0,8}", topic in "[ab]{0,12}") {
        fuzzing::topic(format!("{pattern}\0{topic}").as_bytes());
    }
}
