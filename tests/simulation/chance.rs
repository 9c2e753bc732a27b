//! Chance that follows from a seed, and how much goes wrong in one run.

/// A generator of numbers (SplitMix64): the same seed gives the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and without `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below(span + 1)).unwrap_or(0))
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.index(among.len()))
    }

    /// True in `permille` of 1,000 cases.
    pub(crate) fn happens(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }
}

/// How often each thing goes wrong, in permille; each seed draws its own mix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) lose: u64,
    pub(crate) repeat: u64,
    pub(crate) delay: u64,
    /// A handler dies where it waits for something.
    pub(crate) kill: u64,
    /// A handler pauses for minutes.
    pub(crate) pause: u64,
    /// The process dies, with everything that it holds in memory.
    pub(crate) crash: u64,
    pub(crate) conflict: u64,
    pub(crate) ambiguous: u64,
    pub(crate) unavailable: u64,
    /// A handler's clock is wrong by up to ten minutes.
    pub(crate) skew: u64,
    /// A provider forgets a run, hangs, or reports for somebody else.
    pub(crate) forget: u64,
    pub(crate) hang: u64,
    pub(crate) lie: u64,
    /// Every message is lost, except what the sweep sets off when that is spared.
    pub(crate) lose_all: Option<Spared>,
}

/// What is delivered although everything is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spared {
    Nothing,
    /// What the sweep sends, and what follows from it.
    Sweep,
}

impl Faults {
    pub(crate) fn draw(chance: &mut Chance, lose_all: Option<Spared>) -> Self {
        let mut level = |low, high| match chance.below(3) {
            0 => 0,
            1 => low,
            _ => high,
        };
        Self {
            lose: level(20, 250),
            repeat: level(20, 200),
            delay: level(20, 200),
            kill: level(2, 20),
            pause: level(5, 40),
            crash: level(1, 5),
            conflict: level(10, 80),
            ambiguous: level(10, 80),
            unavailable: level(5, 40),
            skew: level(100, 500),
            forget: level(10, 100),
            hang: level(10, 60),
            lie: level(10, 100),
            lose_all,
        }
    }
}
