//! Days and times of day, as they are written and as they are told.

use super::words::{english, german, german_before, ordinal};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day {
    pub year: usize,
    /// From 1.
    pub month: usize,
    /// From 1.
    pub day: usize,
}

impl Day {
    /// How many days a month has.
    pub fn of_month(year: usize, month: usize) -> usize {
        let leaps =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 if leaps => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// `1984-05-03`
    pub fn iso(self) -> String {
        format!("{}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `03.05.1984`
    pub fn dotted(self) -> String {
        format!("{:02}.{:02}.{}", self.day, self.month, self.year)
    }

    /// `May 3, 1984`
    pub fn american(self) -> String {
        format!("{} {}, {}", MONTHS[self.month - 1], self.day, self.year)
    }

    /// `the third of May, 1984`
    pub fn told(self) -> String {
        format!(
            "the {} of {}, {}",
            ordinal(self.day),
            MONTHS[self.month - 1],
            self.year
        )
    }

    /// `den 3. Mai 1984`
    pub fn german(self) -> String {
        format!(
            "den {}. {} {}",
            self.day,
            GERMAN_MONTHS[self.month - 1],
            self.year
        )
    }
}

/// A time of day, in whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time {
    /// From 0 to 23.
    pub hour: usize,
    pub minute: usize,
}

impl Time {
    /// `16:15`
    pub fn iso(self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// An hour on the face of a clock, `later` hours on.
    fn on_the_clock(self, later: usize) -> usize {
        match (self.hour + later) % 12 {
            0 => 12,
            hour => hour,
        }
    }

    /// `a quarter past four in the afternoon`
    pub fn english(self) -> String {
        let (hour, next) = (english(self.on_the_clock(0)), english(self.on_the_clock(1)));
        let told = match self.minute {
            0 => format!("{hour} o'clock"),
            15 => format!("a quarter past {hour}"),
            30 => format!("half past {hour}"),
            45 => format!("a quarter to {next}"),
            past @ (5 | 10 | 20 | 25) => format!("{} past {hour}", english(past)),
            past @ (35 | 40 | 50 | 55) => format!("{} to {next}", english(60 - past)),
            past @ 1..10 => format!("{hour} oh {}", english(past)),
            past => format!("{hour} {}", english(past)),
        };
        let part = match self.hour {
            0..5 => "at night",
            5..12 => "in the morning",
            12..18 => "in the afternoon",
            _ => "in the evening",
        };
        format!("{told} {part}")
    }

    /// `nachmittags um Viertel nach vier`
    pub fn german(self) -> String {
        let (hour, next) = (german(self.on_the_clock(0)), german(self.on_the_clock(1)));
        let before = german_before(self.on_the_clock(0));
        let told = match self.minute {
            0 => format!("{before} Uhr"),
            15 => format!("Viertel nach {hour}"),
            25 => format!("fünf vor halb {next}"),
            30 => format!("halb {next}"),
            35 => format!("fünf nach halb {next}"),
            45 => format!("Viertel vor {next}"),
            past @ (5 | 10 | 20) => format!("{} nach {hour}", german(past)),
            past @ (40 | 50 | 55) => format!("{} vor {next}", german(60 - past)),
            past => format!("{before} Uhr {}", german(past)),
        };
        let part = match self.hour {
            0..5 => "nachts",
            5..9 => "morgens",
            9..12 => "vormittags",
            12 => "mittags",
            13..18 => "nachmittags",
            _ => "abends",
        };
        format!("{part} um {told}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn days_and_times_are_told_as_people_tell_them() {
        let day = Day {
            year: 1984,
            month: 5,
            day: 3,
        };
        assert_eq!(day.iso(), "1984-05-03");
        assert_eq!(day.dotted(), "03.05.1984");
        assert_eq!(day.american(), "May 3, 1984");
        assert_eq!(day.told(), "the third of May, 1984");
        assert_eq!(day.german(), "den 3. Mai 1984");
        for (hour, minute, in_english, in_german) in [
            (
                16,
                15,
                "a quarter past four in the afternoon",
                "nachmittags um Viertel nach vier",
            ),
            (0, 0, "twelve o'clock at night", "nachts um zwölf Uhr"),
            (
                12,
                30,
                "half past twelve in the afternoon",
                "mittags um halb eins",
            ),
            (
                12,
                45,
                "a quarter to one in the afternoon",
                "mittags um Viertel vor eins",
            ),
            (
                13,
                0,
                "one o'clock in the afternoon",
                "nachmittags um ein Uhr",
            ),
            (
                9,
                35,
                "twenty-five to ten in the morning",
                "vormittags um fünf nach halb zehn",
            ),
            (
                20,
                7,
                "eight oh seven in the evening",
                "abends um acht Uhr sieben",
            ),
            (
                5,
                41,
                "five forty-one in the morning",
                "morgens um fünf Uhr einundvierzig",
            ),
        ] {
            let time = Time { hour, minute };
            assert_eq!(
                (time.english().as_str(), time.german().as_str()),
                (in_english, in_german)
            );
        }
    }

    #[test]
    fn every_minute_of_a_day_is_told_in_words_of_its_own() {
        let times = (0..24).flat_map(|hour| (0..60).map(move |minute| Time { hour, minute }));
        let times: Vec<Time> = times.collect();
        for tell in [Time::english as fn(Time) -> String, Time::german] {
            let told: BTreeSet<String> = times.iter().map(|time| tell(*time)).collect();
            assert_eq!(told.len(), times.len());
        }
    }

    #[test]
    fn months_have_their_days() {
        let days = |year| {
            (1..=12)
                .map(|month| Day::of_month(year, month))
                .sum::<usize>()
        };
        assert_eq!([1900, 1984, 2000, 2023].map(days), [365, 366, 366, 365]);
    }
}
