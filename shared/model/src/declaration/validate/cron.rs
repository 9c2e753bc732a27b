//! The structure of a deployment window's schedule (spec 30 §10).
//!
//! `seconds minutes hours day-of-month month day-of-week [year]`; the seconds count for nothing.
//! Six fields may also be `minutes … year`. When the window opens is not this module's business.

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One field of a schedule.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    special: fn(&str) -> bool,
}

const fn plain(name: &'static str, min: u32, max: u32) -> Field {
    Field {
        name,
        min,
        max,
        names: &[],
        special: |_| false,
    }
}

const FIELDS: [Field; 6] = [
    plain("minutes", 0, 59),
    plain("hours", 0, 23),
    Field {
        special: is_special_day,
        ..plain("day of the month", 1, 31)
    },
    Field {
        names: &MONTHS,
        ..plain("month", 1, 12)
    },
    Field {
        names: &DAYS,
        special: is_special_weekday,
        ..plain("day of the week", 1, 7)
    },
    plain("year", 1970, 2199),
];

/// What is wrong with a schedule.
pub(super) fn fault(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    match parts.len() {
        6 => {
            let with_seconds = first_fault(&parts[1..]);
            if with_seconds.is_none() || first_fault(&parts).is_none() {
                return None;
            }
            with_seconds
        }
        7 => first_fault(&parts[1..]),
        _ => Some(
            "write `seconds minutes hours day-of-month month day-of-week [year]`, such as \
             `0 * 9-17 ? * MON-FRI *`"
                .to_owned(),
        ),
    }
}

fn first_fault(parts: &[&str]) -> Option<String> {
    parts.iter().zip(&FIELDS).find_map(|(part, field)| {
        let is_good = part
            .split(',')
            .all(|item| field.takes(&item.to_ascii_uppercase()));
        let Field { name, min, max, .. } = field;
        (!is_good).then(|| format!("`{part}` is no {name}: write {min} to {max}, `*` or `a-b`"))
    })
}

impl Field {
    fn takes(&self, item: &str) -> bool {
        if (self.special)(item) {
            return true;
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let is_step = |step: &str| number(step).is_some_and(|n| n > 0 && n <= self.max);
        let is_range = range == "*"
            || match range.split_once('-') {
                Some((from, to)) => self.has(from) && self.has(to),
                None => self.has(range),
            };
        is_range && step.is_none_or(is_step)
    }

    fn has(&self, value: &str) -> bool {
        self.names.contains(&value)
            || number(value).is_some_and(|number| (self.min..=self.max).contains(&number))
    }
}

fn number(text: &str) -> Option<u32> {
    let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

/// `?`, `L`, `L-3`, `LW`, `15W`.
fn is_special_day(item: &str) -> bool {
    let is_day = |text: &str| number(text).is_some_and(|day| (1..=31).contains(&day));
    matches!(item, "?" | "L" | "LW")
        || item.strip_prefix("L-").is_some_and(is_day)
        || item.strip_suffix('W').is_some_and(is_day)
}

/// `?`, `L`, `6L`, `6#3`, with names for the days as well.
fn is_special_weekday(item: &str) -> bool {
    let is_day =
        |text: &str| DAYS.contains(&text) || number(text).is_some_and(|day| (1..=7).contains(&day));
    let is_nth = |text: &str| number(text).is_some_and(|nth| (1..=5).contains(&nth));
    matches!(item, "?" | "L")
        || item.strip_suffix('L').is_some_and(is_day)
        || item
            .split_once('#')
            .is_some_and(|(day, nth)| is_day(day) && is_nth(nth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_of_the_documented_forms_are_good() {
        for good in [
            "* * 9-17 ? * MON-FRI *",
            "0 0/15 8-18 ? * 2-6 2026",
            "0 30 10 L-3 jan,jul ? 2026-2030",
            "0 0 0 LW * ?",
            "x 0 0 15W * 6#3 *",
            "* 0 12 ? * friL",
            "0 12 * * ? 2026",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn schedules_of_other_forms_are_not() {
        for bad in [
            "",
            "* * * * *",
            "0 60 * * * ? *",
            "0 0 24 * * ? *",
            "0 0 0 32 * ? *",
            "0 0 0 0 * ? *",
            "0 0 0 * 13 ? *",
            "0 0 0 * * 8 *",
            "0 0 0 * * ? 1969",
            "0 ? * * * ? *",
            "0 0/0 * * * ? *",
            "0 +5 * * * ? *",
            "0 1- * * * ? *",
            "0 0 0 * * 6#6 *",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
