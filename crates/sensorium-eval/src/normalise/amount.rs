//! A number while it is being read, in decimal digits: it may have any length, so no machine number holds it.

use crate::python::digit;

/// What has been read of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// A whole number, without leading zeros: words may still add to it.
    Whole(String),
    /// Digits as they were said, perhaps with points in them: more can only be put behind.
    Said(String),
}

impl Amount {
    pub(super) fn whole(value: u8) -> Self {
        Self::Whole(value.to_string())
    }

    /// Ten to this power.
    pub(super) fn power(power: u8) -> Self {
        Self::Whole(format!("1{}", "0".repeat(power.into())))
    }

    /// What is written in digits of any script, perhaps with a point: whole if its value is.
    pub(super) fn written(text: &str) -> Self {
        scaled(text, 0).map_or_else(|| Self::Said(text.to_owned()), Self::Whole)
    }

    pub(super) fn digits(&self) -> &str {
        match self {
            Self::Whole(digits) | Self::Said(digits) => digits,
        }
    }

    pub(super) fn is_said(&self) -> bool {
        matches!(self, Self::Said(_))
    }

    /// With these digits behind. A whole zero leaves none of its own where `drop_zero` is.
    pub(super) fn then(this: Option<&Self>, digits: &str, drop_zero: bool) -> Self {
        let before = match this {
            None => "",
            Some(Self::Whole(zero)) if drop_zero && zero == "0" => "",
            Some(amount) => amount.digits(),
        };
        Self::Said(format!("{before}{digits}"))
    }

    /// With `value` added where it fits into the last `places` digits, these being zeros; put behind where it does not.
    pub(super) fn plus(&self, value: u8, places: usize) -> Self {
        match self {
            Self::Whole(zero) if zero == "0" => Self::whole(value),
            Self::Whole(digits) if digits.len() > places && digits.ends_with(&"00"[..places]) => {
                let kept = &digits[..digits.len() - places];
                Self::Whole(format!("{kept}{value:0places$}"))
            }
            _ => Self::then(Some(self), &value.to_string(), false),
        }
    }

    /// Ten to a power as often as the last three digits say, which they give way to: 2005 and a million is 5,002,000.
    /// `None` where something was said that is no number, or not a whole one even then.
    pub(super) fn times(&self, power: u8) -> Option<Self> {
        let digits = match self {
            Self::Said(text) => return scaled(text, power.into()).map(Self::Whole),
            Self::Whole(digits) => digits,
        };
        let split = digits.len().saturating_sub(3);
        let (before, last) = digits.split_at(split);
        let before = if before.is_empty() {
            String::new()
        } else {
            format!("{before}000")
        };
        let many = format!("{last}{}", "0".repeat(power.into()));
        Some(Self::Whole(sum(&before, &many)))
    }
}

/// The value of a decimal number times ten to a power, if it is one and whole.
fn scaled(text: &str, power: usize) -> Option<String> {
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    let ascii = |part: &str| -> Option<String> {
        let digits = part
            .chars()
            .map(|c| digit(c).map(|value| char::from(b'0' + value)));
        digits.collect()
    };
    let (before, after) = (ascii(before)?, ascii(after)?);
    let places = after.trim_end_matches('0');
    if (before.is_empty() && after.is_empty()) || places.len() > power {
        return None;
    }
    let zeros = "0".repeat(power - places.len());
    Some(without_leading_zeros(&format!("{before}{places}{zeros}")))
}

fn without_leading_zeros(digits: &str) -> String {
    let short = digits.trim_start_matches('0');
    if short.is_empty() { "0" } else { short }.to_owned()
}

/// The sum of two whole numbers.
fn sum(a: &str, b: &str) -> String {
    let (mut digits, mut carry) = (Vec::new(), 0);
    let (mut a, mut b) = (a.bytes().rev(), b.bytes().rev());
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() && carry == 0 {
            break;
        }
        let value = [x, y]
            .iter()
            .flatten()
            .fold(carry, |sum, byte| sum + (byte - b'0'));
        digits.push(char::from(b'0' + value % 10));
        carry = value / 10;
    }
    without_leading_zeros(&digits.into_iter().rev().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_number_has_no_multiple() {
        let times = |text: &str, power| Amount::Said(text.into()).times(power);
        for text in ["1.2.3", ".", "$5", "3.$5"] {
            assert_eq!(times(text, 3), None, "{text}");
        }
        assert_eq!(times("1.2345", 3), None);
        assert_eq!(times("1.2340", 3), Some(Amount::Whole("1234".into())));
        assert_eq!(times(".5", 1), Some(Amount::Whole("5".into())));
        assert_eq!(times("00", 2), Some(Amount::Whole("0".into())));
    }

    proptest! {
        #[test]
        fn numbers_of_digits_reckon_as_numbers_do(value in 0_u64..10_000_000, power in 2_u8..10, small in 1_u8..10) {
            let amount = Amount::written(&value.to_string());
            let expected = value / 1000 * 1000 + value % 1000 * 10_u64.pow(power.into());
            prop_assert_eq!(amount.times(power), Some(Amount::Whole(expected.to_string())));
            let expected = if value % 10 == 0 {
                Amount::Whole((value + u64::from(small)).to_string())
            } else {
                Amount::Said(format!("{value}{small}"))
            };
            prop_assert_eq!(amount.plus(small, 1), expected);
        }
    }
}
