//! The notifier: reads the journal for each target and tells it what it wants to know.
//!
//! The journal is the queue. Each target has a cursor in it, which moves when a commit has been
//! dealt with: every event was taken, or given up after [`ATTEMPTS_MAX`] attempts. So each event is
//! delivered at least once and in order, and a target that does not answer holds up nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use lettre::message::Mailbox;
use model::{Change, derive};
use ports::{Cursors, StoreError, World};
use sha2::{Digest, Sha256};
use tokio::{sync::Mutex, task::spawn_blocking};
use uuid::Uuid;

use crate::{
    Config, Event, Links, Pattern,
    approval::{self, Question},
    channel::{Failure, command, mail, webhook},
    letter::letter,
    rules::{Channel, Smtp},
};

/// How often an event is offered before it is given up.
pub const ATTEMPTS_MAX: u32 = 12;

/// An event that is older than this is offered once: after a long silence a target is to catch up,
/// and not to be held up by each event in turn.
pub const AGE_MAX: Duration = Duration::from_hours(1);

/// How long after the first failure the next attempt comes at most; each further one waits twice as
/// long, up to [`PAUSE_MAX`].
pub const PAUSE_FIRST: Duration = Duration::from_secs(1);
pub const PAUSE_MAX: Duration = Duration::from_mins(5);

/// How many entries of the journal are read at once.
const PAGE: usize = 200;

/// How many events one run offers.
const OFFERS_PER_RUN: usize = 100;

/// How much of a destination's hash its cursor's name has.
const HASH_CHARACTERS: usize = 16;

/// Tells people and programs what happens.
pub struct Notifier {
    world: World,
    cursors: Arc<dyn Cursors>,
    links: Links,
    smtp: Option<Smtp>,
    targets: Vec<Target>,
}

/// One reader of the journal.
struct Target {
    /// Of its cursor, too: the same target of the same rule goes on where it was.
    name: String,
    wants: Wants,
    /// Nothing, where nobody is told and that is the trouble.
    channel: Option<Channel>,
    /// To whom links are made out.
    recipient: String,
    place: Mutex<Option<Place>>,
}

enum Wants {
    Events(Arc<Pattern>),
    Approvals,
    /// The approvals that name this topic.
    Topic(String),
    /// The approvals that name a topic which is none of these.
    NoTopicOf(BTreeSet<String>),
}

/// Where a target is.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The last commit that was dealt with.
    commit: u64,
    /// How many changes of the commit after it were dealt with.
    changes: usize,
    /// How often the next one was offered.
    attempts: u32,
    /// What the store has as the cursor.
    stored: u64,
}

/// What one run did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub delivered: usize,
    /// What did not work, for the log.
    pub troubles: Vec<Trouble>,
    pub next: Next,
}

/// When to run the target again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Next {
    /// There is more to do.
    Now,
    /// Not before this time has passed.
    After(Duration),
    /// When there are new commits.
    #[default]
    OnCommit,
}

/// A cursor that was beyond the end of the journal, as after the store was restored from a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The name of the target.
    pub target: String,
    /// The commit where it was, and the one where it is.
    pub from: u64,
    pub to: u64,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, from, to } = self;
        write!(
            f,
            "{target} had been told up to commit {from}, but the journal ends at {to}, as after a \
             restore of the store alone: it is told of what comes after {to}"
        )
    }
}

/// An attempt that did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The name of the target.
    pub target: String,
    pub event: Uuid,
    pub pipeline: String,
    /// From 1.
    pub attempt: u32,
    /// Whether the target is never told of the event.
    pub given_up: bool,
    pub why: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            event,
            pipeline,
            attempt,
            given_up,
            why,
        } = self;
        let then = if *given_up { "; it is given up" } else { "" };
        write!(
            f,
            "event {event} of pipeline `{pipeline}` was not delivered to {target} at attempt \
             {attempt}: {why}{then}"
        )
    }
}

/// What is told.
enum Told {
    Event(Box<Event>),
    Question(Box<Question>),
}

impl Notifier {
    pub fn new(world: World, cursors: Arc<dyn Cursors>, links: Links, config: Config) -> Self {
        Self {
            world,
            cursors,
            links,
            targets: targets(&config),
            smtp: config.smtp,
        }
    }

    /// How many targets there are; they are named by number, from 0.
    pub fn targets(&self) -> usize {
        self.targets.len()
    }

    /// What a target is called in logs; nothing secret.
    pub fn name(&self, target: usize) -> &str {
        self.targets.get(target).map_or("", |target| &target.name)
    }

    /// Puts the cursors of new targets at the end of the journal, and forgets those of targets that
    /// are no more. To be called before the server takes its first request, so that a new target
    /// misses nothing from then on.
    ///
    /// A cursor beyond the end is moved to it and answered with, for the log: the store is an older
    /// one than the cursors, and the target would not be told of the commits up to the cursor.
    pub async fn begin(&self) -> Result<Vec<Moved>, StoreError> {
        let names: Vec<String> = self.targets.iter().map(|t| t.name.clone()).collect();
        self.cursors.keep_only(&names).await?;
        let mut moved = Vec::new();
        if names.is_empty() {
            return Ok(moved);
        }
        let end = journal_end(&self.world).await?;
        for name in names {
            match self.cursors.get(&name).await? {
                Some(at) if at <= end => continue,
                Some(from) => moved.push(Moved {
                    target: name.clone(),
                    from,
                    to: end,
                }),
                None => {}
            }
            self.cursors.set(&name, end).await?;
        }
        Ok(moved)
    }

    /// Tells one target what it has not been told yet, up to a bound. One loop a target calls it;
    /// it may be dropped at any time, and what was being delivered is then delivered again.
    pub async fn run_once(&self, target: usize) -> Result<Ran, StoreError> {
        let Some(target) = self.targets.get(target) else {
            return Ok(Ran::default());
        };
        let mut place = target.place.lock().await;
        let mut at = match *place {
            Some(at) => at,
            None => self.recall(target).await?,
        };
        let mut ran = Ran::default();
        let result = self.advance(target, &mut at, &mut ran, &mut place).await;
        *place = Some(at);
        if at.commit != at.stored {
            self.cursors.set(&target.name, at.commit).await?;
            at.stored = at.commit;
            *place = Some(at);
        }
        match result {
            // What was done is told first; the next run meets the error again.
            Err(_) if ran != Ran::default() => {
                ran.next = Next::After(PAUSE_FIRST);
                Ok(ran)
            }
            result => result.map(|()| ran),
        }
    }

    async fn recall(&self, target: &Target) -> Result<Place, StoreError> {
        let commit = match self.cursors.get(&target.name).await? {
            Some(commit) => commit,
            None => journal_end(&self.world).await?,
        };
        Ok(Place {
            commit,
            stored: commit,
            ..Place::default()
        })
    }

    async fn advance(
        &self,
        target: &Target,
        at: &mut Place,
        ran: &mut Ran,
        kept: &mut Option<Place>,
    ) -> Result<(), StoreError> {
        let page = self.world.pipelines.journal(at.commit, PAGE).await?;
        let is_last = page.len() < PAGE;
        let mut offers = 0;
        for entry in page {
            for change in entry.changes.iter().skip(at.changes) {
                let Some(told) = self.told(target, change).await? else {
                    // A question may be answered while it is offered.
                    at.attempts = 0;
                    at.changes += 1;
                    continue;
                };
                if offers == OFFERS_PER_RUN {
                    ran.next = Next::Now;
                    return Ok(());
                }
                offers += 1;
                if let Err(failure) = self.deliver(target, change, told).await {
                    at.attempts += 1;
                    let trouble = self.trouble(target, change, at.attempts, failure);
                    let given_up = trouble.given_up;
                    ran.troubles.push(trouble);
                    if !given_up {
                        ran.next = Next::After(self.pause(at.attempts));
                        return Ok(());
                    }
                } else {
                    ran.delivered += 1;
                }
                at.attempts = 0;
                at.changes += 1;
                // Whoever drops this run keeps what was done so far.
                *kept = Some(*at);
            }
            at.commit = entry.commit;
            at.changes = 0;
        }
        if !is_last {
            ran.next = Next::Now;
        }
        Ok(())
    }

    /// What the target is told of a change, if anything.
    async fn told(&self, target: &Target, change: &Change) -> Result<Option<Told>, StoreError> {
        if let Wants::Events(pattern) = &target.wants {
            let event = Event::of(change, &self.world.account);
            let is_wanted = pattern.matches(&event.to_value());
            return Ok(is_wanted.then(|| Told::Event(Box::new(event))));
        }
        let question = approval::question(&self.world, change).await?;
        let is_wanted = |question: &Question| match (&target.wants, &question.topic) {
            (Wants::Approvals, _) => true,
            (Wants::Topic(arn), Some(topic)) => arn == topic,
            (Wants::NoTopicOf(known), Some(topic)) => !known.contains(topic),
            (Wants::Topic(_) | Wants::NoTopicOf(_), None) | (Wants::Events(_), _) => false,
        };
        Ok(question
            .filter(is_wanted)
            .map(|question| Told::Question(Box::new(question))))
    }

    async fn deliver(&self, target: &Target, change: &Change, told: Told) -> Result<(), Failure> {
        let id = match &told {
            Told::Event(event) => event.id,
            Told::Question(question) => question.event,
        };
        let json = || match &told {
            Told::Event(event) => event.to_json(),
            Told::Question(question) => question.to_json(&self.links, &target.recipient),
        };
        let Some(channel) = &target.channel else {
            return Err(Failure::final_(
                "nobody is asked: the rules have no `approvals`, and `topics` does not name its \
                 NotificationArn",
            ));
        };
        match channel {
            Channel::Webhook(webhook) => {
                let (webhook, json) = (webhook.clone(), json());
                let now = self.world.clock.now();
                let post = spawn_blocking(move || webhook::post(&webhook, id, now, &json));
                post.await
                    .unwrap_or_else(|error| Err(Failure::new(error.to_string())))
            }
            Channel::Email(email) => {
                let Some(smtp) = &self.smtp else {
                    return Err(Failure::final_("there is no mail server"));
                };
                let letter = match &told {
                    Told::Event(event) => letter(change, event),
                    Told::Question(question) => question.to_letter(&self.links, &target.recipient),
                };
                mail::send(smtp, &email.from, &email.to, letter).await
            }
            Channel::Command(it) => command::run(it, id, &json(), command::TIME_MAX).await,
        }
    }

    fn trouble(&self, target: &Target, change: &Change, attempt: u32, failure: Failure) -> Trouble {
        let age = self.world.clock.now().since(change.at);
        Trouble {
            target: target.name.clone(),
            event: derive::change_id(change.execution, change.sequence),
            pipeline: change.pipeline.clone(),
            attempt,
            given_up: failure.is_final || attempt >= ATTEMPTS_MAX || age > AGE_MAX,
            why: failure.why,
        }
    }

    /// How long to wait after so many failures: half of it for sure, the rest by chance, so that
    /// targets that failed together do not come back together.
    fn pause(&self, attempts: u32) -> Duration {
        let doubled = PAUSE_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16));
        let whole = doubled.min(PAUSE_MAX);
        let [.., chance] = self.world.random.uuid().into_bytes();
        whole / 2 + whole / 2 * u32::from(chance) / u32::from(u8::MAX)
    }
}

fn targets(config: &Config) -> Vec<Target> {
    let mut targets = Vec::new();
    for rule in &config.rules {
        let pattern = Arc::new(rule.pattern.clone());
        for channel in &rule.targets {
            let wants = Wants::Events(Arc::clone(&pattern));
            let place = format!("rule/{}", rule.name);
            targets.push(target(&place, wants, channel.clone(), String::new()));
        }
    }
    for channel in config.approvals.iter().flat_map(each_recipient) {
        targets.push(target("approvals", Wants::Approvals, channel.0, channel.1));
    }
    for (arn, channels) in &config.topics {
        for channel in channels.iter().flat_map(each_recipient) {
            let place = format!("topic/{arn}");
            let wants = Wants::Topic(arn.clone());
            targets.push(target(&place, wants, channel.0, channel.1));
        }
    }
    if config.approvals.is_empty() {
        targets.push(Target {
            name: "approvals/nobody".to_owned(),
            wants: Wants::NoTopicOf(config.topics.keys().cloned().collect()),
            channel: None,
            recipient: String::new(),
            place: Mutex::new(None),
        });
    }
    number_repeats(&mut targets);
    targets
}

/// Two cursors never share a name.
fn number_repeats(targets: &mut [Target]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for target in targets {
        let count = seen.entry(target.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            target.name = format!("{}/{count}", target.name);
        }
    }
}

/// Everybody who is asked gets a link of their own.
fn each_recipient(channel: &Channel) -> Vec<(Channel, String)> {
    match channel {
        Channel::Email(email) => {
            let one = |to: &Mailbox| {
                let mut email = email.clone();
                email.to = vec![to.clone()];
                (Channel::Email(email), to.email.to_string())
            };
            email.to.iter().map(one).collect()
        }
        Channel::Webhook(_) => vec![(channel.clone(), "webhook".to_owned())],
        Channel::Command(_) => vec![(channel.clone(), "command".to_owned())],
    }
}

fn target(place: &str, wants: Wants, channel: Channel, recipient: String) -> Target {
    let (kind, destination) = match &channel {
        Channel::Webhook(webhook) => ("webhook", webhook.url.clone()),
        Channel::Email(email) => {
            let to: Vec<String> = email.to.iter().map(|to| to.email.to_string()).collect();
            ("email", to.join("\n"))
        }
        Channel::Command(command) => ("command", command.argv.join("\n")),
    };
    // A URL may be a secret, and a name is in every log.
    let hash = hex::encode(Sha256::digest(destination.as_bytes()));
    Target {
        name: format!("{place}/{kind}/{}", &hash[..HASH_CHARACTERS]),
        wants,
        channel: Some(channel),
        recipient,
        place: Mutex::new(None),
    }
}

/// The number of the last commit: the journal says only whether there is one after a number, so the
/// end is looked for by doubling and halving.
async fn journal_end(world: &World) -> Result<u64, StoreError> {
    let mut low = 0;
    let mut high = 1;
    while let Some(next) = after(world, high).await? {
        (low, high) = (next, next.saturating_mul(2));
    }
    match after(world, low).await? {
        Some(next) => low = next,
        None => return Ok(low),
    }
    while low < high {
        let middle = low + (high - low) / 2;
        match after(world, middle).await? {
            Some(next) => low = next,
            None => high = middle,
        }
    }
    Ok(low)
}

async fn after(world: &World, commit: u64) -> Result<Option<u64>, StoreError> {
    let entries = world.pipelines.journal(commit, 1).await?;
    Ok(entries.first().map(|entry| entry.commit))
}
