//! Everything behind the listener, put together.

use std::{path::PathBuf, sync::Arc};

use access::{Authenticator, keys::Keys, link::LinkKey};
use api::{Api, Service, pipewright::Pipewright, trail::Trail};
use approval_callback::Callback;
use notification::{Links, Notifier};
use operations::codebuild::CodeBuild;
use ports::{World, audit::AuditTrail};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
};

use super::{
    builds,
    feed::Feed,
    follow::Follower,
    git::{BACKENDS_MAX, Git},
    log::Log,
    metrics::Metrics,
    notifications,
    router::{Health, Router},
    secured::{Secured, remove_expired, tell_of_trouble},
    sources,
};
use crate::{
    args::ServeArgs,
    failure::Failure,
    local::{Local, Running},
};

/// The folders of repositories that were pushed here, and of uploads to buckets.
pub const REPOSITORIES: &str = "repositories";
const UPLOADS: &str = "uploads";

/// What the keys of a server are derived for.
const LINKS: &str = "approval links";
const PAGES: &str = "tokens of next pages";

/// A house that is open: its machine runs, and its router can be asked.
pub struct House {
    pub router: Arc<Router>,
    pub running: Running,
    pub loops: JoinSet<()>,
}

/// What wakes whom.
struct Bells {
    /// Something was put or pushed: look at the sources.
    sources: Arc<Notify>,
    /// A build was asked for or has ended.
    builds: Arc<Notify>,
    /// Something was committed.
    news: watch::Receiver<u64>,
    /// The server stops.
    stop: watch::Receiver<bool>,
}

impl House {
    /// Opens the house; `base` is where others find it.
    pub async fn open(
        mut local: Local,
        secured: &Secured,
        args: &ServeArgs,
        base: &str,
        stop: watch::Receiver<bool>,
        log: Log,
    ) -> Result<Self, Failure> {
        let links = Links {
            base: base.to_owned(),
            key: link_key(secured),
        };
        let notifier = notifications::notifier(args, &local, links).await?;
        let (moved, news) = watch::channel(0);
        let bells = Bells {
            sources: Arc::default(),
            builds: Arc::default(),
            news,
            stop,
        };
        let codebuild = builds::record(&mut local, &bells.builds);
        let metrics = Arc::new(Metrics::default());
        let router = router(&local, secured, &codebuild, base, &bells, &metrics, log)?;
        let running = local.start()?;
        let follower = Follower {
            log,
            metrics,
            news: moved,
            tells: notifier.is_some(),
        };
        let mut loops = JoinSet::new();
        loops.spawn(follower.follow(running.machine.subscribe()));
        loops.spawn(tell_of_trouble(secured.audit.watch_trouble(), log));
        loops.spawn(remove_expired(Arc::clone(&secured.keyring)));
        loops.spawn(builds::watch(codebuild, bells.builds, log));
        let world = running.world.clone();
        loops.spawn(sources::watch(world, args.poll, bells.sources, log));
        for (target, notifier) in each_target(notifier.as_ref()) {
            let news = bells.news.clone();
            loops.spawn(notifications::tell(notifier, target, news, log));
        }
        Ok(Self {
            router,
            running,
            loops,
        })
    }
}

fn each_target(
    notifier: Option<&Arc<Notifier>>,
) -> impl Iterator<Item = (usize, Arc<Notifier>)> + '_ {
    let each = |notifier: &Arc<Notifier>| {
        let notifier = Arc::clone(notifier);
        (0..notifier.targets()).map(move |target| (target, Arc::clone(&notifier)))
    };
    notifier.into_iter().flat_map(each)
}

fn link_key(secured: &Secured) -> LinkKey {
    LinkKey::new(secured.master.derive(LINKS))
}

fn router(
    local: &Local,
    secured: &Secured,
    codebuild: &CodeBuild,
    base: &str,
    bells: &Bells,
    metrics: &Arc<Metrics>,
    log: Log,
) -> Result<Arc<Router>, Failure> {
    let world = &local.world;
    let data = local.directory.path();
    let keys: Arc<dyn Keys> = Arc::clone(&secured.keyring) as Arc<dyn Keys>;
    let authenticator = Arc::new(Authenticator::new(Arc::clone(&keys)));
    let trail = Arc::new(Trail::new(
        Arc::new(secured.audit.clone()) as Arc<dyn AuditTrail>,
        Arc::clone(&world.account),
        Arc::clone(&world.clock),
        Arc::clone(&world.random),
    ));
    let page_key = secured.master.derive(PAGES);
    let mut more: Vec<Arc<dyn Service>> = vec![Arc::new(Pipewright {
        world: world.clone(),
        keyring: Arc::clone(&secured.keyring),
        logs: Arc::new(local.logs.clone()),
    })];
    more.extend(builds::services(codebuild, local.logs.clone(), page_key));
    let api = Api::new(api::Options {
        world: world.clone(),
        authenticator: Arc::clone(&authenticator),
        trail: Arc::clone(&trail),
        page_key,
        more,
    });
    Ok(Arc::new(Router {
        api,
        buckets: buckets(world, &keys, data.join(UPLOADS), &bells.sources)?,
        trail,
        git: Arc::new(Git {
            folder: data.join(REPOSITORIES),
            account: Arc::clone(&world.account),
            keys: Arc::clone(&keys),
            pushed: Arc::clone(&bells.sources),
            turns: Semaphore::new(BACKENDS_MAX),
        }),
        feed: Feed::new(
            world.clone(),
            authenticator,
            keys,
            bells.news.clone(),
            bells.stop.clone(),
        ),
        approvals: Callback {
            world: world.clone(),
            key: link_key(secured),
            origin: base.to_owned(),
        },
        metrics: Arc::clone(metrics),
        health: health(local, secured),
        log,
    }))
}

fn buckets(
    world: &World,
    keys: &Arc<dyn Keys>,
    uploads: PathBuf,
    sources: &Arc<Notify>,
) -> Result<s3::Service, Failure> {
    let sources = Arc::clone(sources);
    s3::service(s3::Options {
        objects: Arc::clone(&world.objects),
        keys: Arc::clone(keys),
        clock: Arc::clone(&world.clock),
        account: (*world.account).clone(),
        uploads,
        on_put: Arc::new(move |_, _, _| sources.notify_one()),
    })
    .map_err(|error| Failure::system("open the buckets", &error))
}

fn health(local: &Local, secured: &Secured) -> Health {
    let (watched, counted) = (Arc::clone(&local.store), Arc::clone(&local.store));
    let audit = secured.audit.clone();
    Health {
        trouble: Box::new(move || {
            if watched.is_broken() {
                return Some("the state cannot be written any more: the disk failed");
            }
            // Anybody may ask, so what it says of this machine is in the log alone.
            let text = "the audit trail cannot be written, and the server's log says why";
            audit.trouble().map(|_| text)
        }),
        live: Box::new(move || counted.live()),
    }
}
