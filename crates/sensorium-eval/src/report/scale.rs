//! Numbers as people read them, and the axes they stand on.

/// `0.9837` as `98.4 %`; only what is whole reads `100 %`.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "–".into();
    }
    let value = share * 100.0;
    if value == 0.0 || value == 100.0 {
        return format!("{value:.0}\u{a0}%");
    }
    let digits = usize::from((0.05..99.95).contains(&value));
    // Not rounded up to a whole it has not reached, nor down to nothing.
    if digits == 1 {
        format!("{value:.1}\u{a0}%")
    } else {
        format!("{value:.2}\u{a0}%")
    }
}

/// A difference of shares in points, with its sign: `+12.3`.
pub(crate) fn points(difference: f64) -> String {
    format!(
        "{}{:.1}",
        if difference < 0.0 { "−" } else { "+" },
        difference.abs() * 100.0
    )
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_owned();
    for (i, group) in digits.as_bytes()[head..].chunks(3).enumerate() {
        if i > 0 || head > 0 {
            text.push(',');
        }
        text.extend(group.iter().map(|&byte| byte as char));
    }
    text
}

/// `1234567` as `1.23 M`.
pub(crate) fn magnitude(n: u64) -> String {
    let value = n as f64;
    let (scaled, unit) = match n {
        0..1_000 => return n.to_string(),
        1_000..1_000_000 => (value / 1e3, "k"),
        1_000_000..1_000_000_000 => (value / 1e6, "M"),
        _ => (value / 1e9, "G"),
    };
    let digits = if scaled < 10.0 {
        2
    } else {
        usize::from(scaled < 100.0)
    };
    format!("{scaled:.digits$}\u{a0}{unit}")
}

/// `161.0` seconds as `2 min 41 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    if seconds < 10.0 {
        return format!("{seconds:.1}\u{a0}s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}\u{a0}s"),
        (0, _) => format!("{minutes}\u{a0}min {rest}\u{a0}s"),
        _ => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
    }
}

/// About three significant digits, in powers of ten where that is shorter.
pub(crate) fn significant(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".into()
    } else if !(1e-3..1e5).contains(&size) {
        let text = format!("{value:.1e}");
        text.replace(".0e", "e").replace('-', "−")
    } else {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 4) as usize;
        format!("{value:.digits$}").replace('-', "−")
    }
}

/// Round numbers covering `low..=high`, about `wanted` of them; never empty, and strictly rising.
pub(crate) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return vec![low];
    }
    let raw = span / wanted.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power);
    let step = nice
        .clone()
        .find(|step| *step >= raw * (1.0 - 1e-9))
        .unwrap_or(power * 10.0);
    let (first, last) = (
        (low / step - 1e-9).ceil() as i64,
        (high / step + 1e-9).floor() as i64,
    );
    if !(step.is_finite() && step > 0.0 && last - first < 100) {
        return vec![low];
    }
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A tick's label: as many digits as the distance between ticks calls for.
pub(crate) fn tick_label(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if step < 1e-4 || value.abs() >= 1e5 {
        return format!("{value:.1e}").replace(".0e", "e").replace('-', "−");
    }
    let mut digits = 0;
    while digits < 5
        && (step * 10_f64.powi(digits) - (step * 10_f64.powi(digits)).round()).abs() > 1e-6
    {
        digits += 1;
    }
    format!("{value:.*}", digits as usize).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_read_well() {
        let read: Vec<String> = [0.0, 0.0004, 0.0123, 0.98366, 0.9999, 1.0]
            .into_iter()
            .map(|x| percent(x).replace('\u{a0}', " "))
            .collect();
        assert_eq!(
            read,
            ["0 %", "0.04 %", "1.2 %", "98.4 %", "99.99 %", "100 %"]
        );
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [7, 1_234, 87_654_321].map(|n| magnitude(n).replace('\u{a0}', " ")),
            ["7", "1.23 k", "87.7 M"]
        );
        let read = [3.12, 59.6, 161.0, 7260.0].map(|s| duration(s).replace('\u{a0}', " "));
        assert_eq!(read, ["3.1 s", "1 min 0 s", "2 min 41 s", "2 h 1 min"]);
        assert_eq!(
            [0.0, 2.3456, 0.012345, 3e-5, 1234.5].map(significant),
            ["0", "2.35", "0.0123", "3e−5", "1234"]
        );
        assert_eq!([points(0.1234), points(-0.02)], ["+12.3", "−2.0"]);
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 2.4, 4), [0.0, 1.0, 2.0]);
        assert_eq!(ticks(0.0, 1.0, 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(3.0, 3.0, 4), [3.0]);
        assert_eq!(
            ticks(0.0, 3e-5, 3)
                .iter()
                .map(|&t| tick_label(t, 1e-5))
                .collect::<Vec<_>>(),
            ["0", "1e−5", "2e−5", "3e−5"]
        );
        assert_eq!(
            [
                tick_label(0.25, 0.25),
                tick_label(0.5, 0.25),
                tick_label(400.0, 200.0),
                tick_label(1e-3, 5e-4)
            ],
            ["0.25", "0.50", "400", "0.0010"]
        );
    }

    proptest! {
        #[test]
        fn ticks_stay_few_and_inside(low in -1e6..1e6_f64, span in 1e-9..1e9_f64, wanted in 1_usize..10) {
            let ticks = ticks(low, low + span, wanted);
            prop_assert!(ticks.len() <= wanted * 3 + 2);
            let slack = span * 1e-6 + low.abs() * 1e-6;
            prop_assert!(ticks.iter().all(|t| *t >= low - slack && *t <= low + span + slack));
        }
    }
}
