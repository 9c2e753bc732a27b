//! What goes wrong between a function and the services, as a seed has it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::call::{CLIENT, Call};

/// How often of 1,000 times something happens to a call of a function.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// A message is sent twice.
    pub doubled: u64,
    /// A message is accepted and lost.
    pub lost: u64,
    /// The table says that it is asked too often.
    pub throttled: u64,
    /// A transaction is carried out, and no attempt of it is ever answered.
    pub unanswered: u64,
    /// The function dies when a transaction of it was carried out.
    pub killed: u64,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Passed,
    Doubled,
    Lost,
    Throttled,
    Unanswered,
    Killed,
}

/// The plan: rates, chance, and what happened so far.
pub struct Faults {
    rates: Rates,
    chance: u64,
    /// What has a rate and has not happened yet.
    due: Vec<Fate>,
    /// Tokens of transactions whose answers all get lost.
    silent: Vec<String>,
    pub(super) happened: BTreeMap<Fate, u64>,
}

impl Faults {
    /// The same seed gives the same numbers; which call gets which is up to the calls' order. What
    /// has a rate happens once at least: to the first call that it can happen to.
    pub fn new(seed: u64, rates: Rates) -> Self {
        let kinds = [
            (Fate::Doubled, rates.doubled),
            (Fate::Lost, rates.lost),
            (Fate::Killed, rates.killed),
            (Fate::Unanswered, rates.unanswered),
            (Fate::Throttled, rates.throttled),
        ];
        let due = kinds.iter().filter(|(_, rate)| *rate > 0);
        Self {
            due: due.map(|(fate, _)| *fate).collect(),
            rates,
            chance: seed,
            silent: Vec::new(),
            happened: BTreeMap::new(),
        }
    }

    pub(super) fn fate(&mut self, call: &Call, body: &[u8]) -> Fate {
        let fate = self.drawn(call, body);
        if fate != Fate::Passed {
            *self.happened.entry(fate).or_default() += 1;
        }
        fate
    }

    fn drawn(&mut self, call: &Call, body: &[u8]) -> Fate {
        if call.who == CLIENT {
            return Fate::Passed;
        }
        let rates = self.rates;
        if call.service == "sqs" && call.operation.starts_with("SendMessage") {
            return self.one_of(&[(Fate::Doubled, rates.doubled), (Fate::Lost, rates.lost)]);
        }
        if call.service != "dynamodb" {
            return Fate::Passed;
        }
        if call.operation != "TransactWriteItems" {
            return self.one_of(&[(Fate::Throttled, rates.throttled)]);
        }
        let token = token(body);
        if token.is_some()
            && self
                .silent
                .iter()
                .any(|silent| Some(silent) == token.as_ref())
        {
            return Fate::Unanswered;
        }
        let fate = self.one_of(&[
            (Fate::Throttled, rates.throttled),
            (Fate::Unanswered, rates.unanswered),
            (Fate::Killed, rates.killed),
        ]);
        if fate == Fate::Unanswered {
            self.silent.extend(token);
        }
        fate
    }

    fn one_of(&mut self, fates: &[(Fate, u64)]) -> Fate {
        let is_here = |due: &Fate| fates.iter().any(|(fate, _)| fate == due);
        if let Some(place) = self.due.iter().position(is_here) {
            return self.due.remove(place);
        }
        let mut left = self.next() % 1_000;
        for (fate, rate) in fates {
            if left < *rate {
                return *fate;
            }
            left -= rate;
        }
        Fate::Passed
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

fn token(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body["ClientRequestToken"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(who: &str, operation: &str) -> Call {
        Call {
            who: who.to_owned(),
            key: String::new(),
            service: "dynamodb".to_owned(),
            operation: operation.to_owned(),
            actions: Vec::new(),
        }
    }

    #[test]
    fn a_transaction_without_an_answer_gets_none_when_it_is_sent_again() {
        let rates = Rates {
            unanswered: 1_000,
            ..Rates::default()
        };
        let mut faults = Faults::new(1, rates);
        let transaction = call("api", "TransactWriteItems");
        let body = br#"{"ClientRequestToken":"one"}"#;
        assert_eq!(faults.fate(&transaction, body), Fate::Unanswered);
        faults.rates = Rates::default();
        assert_eq!(faults.fate(&transaction, body), Fate::Unanswered);
        assert_eq!(faults.fate(&transaction, b"{}"), Fate::Passed);
        assert_eq!(faults.happened, BTreeMap::from([(Fate::Unanswered, 2)]));
    }

    #[test]
    fn clients_are_left_alone() {
        let rates = Rates {
            throttled: 1_000,
            ..Rates::default()
        };
        let mut faults = Faults::new(1, rates);
        assert_eq!(faults.fate(&call(CLIENT, "Query"), b""), Fate::Passed);
        assert_eq!(faults.fate(&call("api", "Query"), b""), Fate::Throttled);
    }
}
