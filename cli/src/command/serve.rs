//! `pipewright serve`: a durable server on one machine.

use std::{io, path::Path, sync::Arc, time::Duration};

use access::{Authenticator, keys::Keys, link::LinkKey};
use api::{Api, Service, pipewright::Pipewright, trail::Trail};
use approval_callback::Callback;
use embedded::{
    AccessKeyStore, AuditLog, Cursors as CursorStore, Isolation, MasterKey, Secrets,
    audit::{self, AuditOptions},
    repositories, sandbox,
};
use keyring::{Keyring, KeyringOptions};
use model::{Subject, declaration::read::Format};
use notification::{Config, Links, Notifier};
use ports::{Cursors, audit::AuditTrail};
use serde_json::{Value, json};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, broadcast::error::RecvError, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    args::{Runner, ServeArgs},
    exit::Exit,
    failure::{Failure, Finding, Source, chain},
    local::{Local, LocalOptions, Running, secrets, source_at},
    machine::Notice,
    serve::{
        builds, credentials,
        feed::Feed,
        git::Git,
        log::{Level, Log},
        metrics::Metrics,
        notifications,
        router::{Health, Router},
        server, sources,
    },
    state,
    terminal::{Terminal, Volume},
};

/// The folder of repositories that were pushed here, and of uploads to buckets.
const REPOSITORIES: &str = "repositories";
const UPLOADS: &str = "uploads";

/// How often what is over is removed.
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// How often a stopping server looks whether builds still run.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(args: &ServeArgs, terminal: Terminal) -> Result<Exit, Failure> {
    server::raise_file_limit();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("start", &error))?;
    let served = runtime.block_on(serve(args, terminal));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve(args: &ServeArgs, terminal: Terminal) -> Result<Exit, Failure> {
    let log = Log::new(args.log, terminal.volume == Volume::Quiet);
    refuse_openness(args)?;
    refuse_builds_without_walls(args.runner)?;
    // Whoever stops the server while it starts is heard as well.
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut terminate = listen_for(SignalKind::terminate())?;
    state::make(&args.data).map_err(|error| Failure::system("make the data directory", &error))?;
    let mut local = open(args).await?;
    let listener = server::listen(args.listen).map_err(|error| occupied(args, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::system("listen", &error))?;
    let base = args
        .base_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"));
    let secured = Secured::open(&local)?;
    let region = local.world.account.region.clone();
    let data = local.directory.path().to_owned();
    let files = credentials::prepare(&secured.keyring, &data, address, &region).await?;
    let metrics = Arc::new(Metrics::default());
    let (moved, news) = watch::channel(0_u64);
    let wake = Arc::new(Notify::new());
    let links = Links {
        base: base.clone(),
        key: LinkKey::new(secured.master.derive("approval links")),
    };
    let notifier = notifier(args, &local, links).await?;
    let (stop, stopped) = watch::channel(false);
    let store = Arc::clone(&local.store);
    let runner = local.builds.clone();
    let logs = local.logs.clone();
    let nudge = Arc::new(Notify::new());
    let codebuild = builds::record(&mut local, &nudge);
    let running = local.start()?;
    let world = running.world.clone();
    let keys: Arc<dyn Keys> = Arc::clone(&secured.keyring) as Arc<dyn Keys>;
    let authenticator = Arc::new(Authenticator::new(Arc::clone(&keys)));
    let on_put = Arc::clone(&wake);
    let buckets = s3::service(s3::Options {
        objects: Arc::clone(&world.objects),
        keys: Arc::clone(&keys),
        clock: Arc::clone(&world.clock),
        account: (*world.account).clone(),
        uploads: data.join(UPLOADS),
        on_put: Arc::new(move |_, _, _| on_put.notify_one()),
    })
    .map_err(|error| Failure::system("open the buckets", &error))?;
    let trail = Arc::new(Trail::new(
        Arc::new(secured.audit.clone()) as Arc<dyn AuditTrail>,
        Arc::clone(&world.account),
        Arc::clone(&world.clock),
        Arc::clone(&world.random),
    ));
    let page_key = secured.master.derive("tokens of next pages");
    let mut more: Vec<Arc<dyn Service>> = vec![Arc::new(Pipewright {
        world: world.clone(),
        keyring: Arc::clone(&secured.keyring),
        logs: Arc::new(logs.clone()),
    })];
    more.extend(builds::services(&codebuild, logs, page_key));
    let api = Api::new(api::Options {
        world: world.clone(),
        authenticator: Arc::clone(&authenticator),
        trail: Arc::clone(&trail),
        page_key,
        more,
    });
    let watched = Arc::clone(&store);
    let router = Arc::new(Router {
        api,
        buckets,
        trail,
        git: Arc::new(Git {
            folder: data.join(REPOSITORIES),
            account: Arc::clone(&world.account),
            keys: Arc::clone(&keys),
            pushed: Arc::clone(&wake),
        }),
        feed: Feed::new(world.clone(), authenticator, news.clone()),
        approvals: Callback {
            world: world.clone(),
            key: LinkKey::new(secured.master.derive("approval links")),
            origin: base.trim_end_matches('/').to_owned(),
        },
        keys,
        metrics: Arc::clone(&metrics),
        health: Health {
            trouble: Box::new(move || {
                let text = "the state cannot be written any more: the disk failed";
                watched.is_broken().then(|| text.to_owned())
            }),
            live: Box::new(move || store.live()),
        },
        log,
    });
    if let Some(recovery) = secured.audit.recovery() {
        let text = format!("{recovery:?}");
        let message =
            "the audit trail was not as it should be; `pipewright audit verify` says more";
        log.write(Level::Warning, message, [("found", text.into())]);
    }
    let mut loops = JoinSet::new();
    loops.spawn(remove_expired(Arc::clone(&secured.keyring)));
    loops.spawn(builds::watch(codebuild, nudge, log));
    loops.spawn(sources::watch(world.clone(), args.poll, wake, log));
    loops.spawn(follow(
        running.machine.subscribe(),
        moved,
        metrics,
        notifier.is_some(),
        log,
    ));
    if let Some(notifier) = notifier {
        for target in 0..notifier.targets() {
            let notifier = Arc::clone(&notifier);
            loops.spawn(notifications::tell(notifier, target, news.clone(), log));
        }
    }
    greet(terminal, &files, &base);
    let server = server::serve(listener, router, log, stopped);
    tokio::pin!(server);
    tokio::select! {
        () = &mut server => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    log.write(Level::Info, "stopping", []);
    let _ = stop.send(true);
    let hasty = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let gently = async {
        server.await;
        loops.shutdown().await;
        let until = Instant::now() + args.grace;
        while runner.running() > 0 && Instant::now() < until {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = gently => {}
        () = hasty => log.write(Level::Warning, "stopping at once; running builds begin anew with the next start", []),
    }
    end(running, &secured).await;
    log.write(Level::Info, "stopped", []);
    Ok(Exit::Succeeded)
}

/// The keys, and the trail of what they were used for.
struct Secured {
    master: MasterKey,
    keyring: Arc<Keyring>,
    audit: AuditLog,
}

impl Secured {
    fn open(local: &Local) -> Result<Self, Failure> {
        let world = &local.world;
        let master = MasterKey::open(&local.directory, &*world.random)
            .map_err(|error| Failure::new(Exit::Internal, chain(&error)))?;
        let keys = AccessKeyStore::open(&local.directory)
            .map_err(|error| Failure::system("open the access keys", &error))?;
        let keyring = Arc::new(Keyring::new(KeyringOptions {
            keys: Arc::new(keys),
            clock: Arc::clone(&world.clock),
            random: Arc::clone(&world.random),
            account: world.account.id.clone(),
            sealing_key: master.for_access_keys(),
        }));
        let audit = AuditLog::open(
            &local.directory,
            AuditOptions {
                key: master.for_audit(),
                clock: Arc::clone(&world.clock),
                account: Arc::clone(&world.account),
                file_bytes_max: audit::FILE_BYTES_MAX,
            },
        )
        .map_err(|error| Failure::new(Exit::Internal, chain(&error)))?;
        Ok(Self {
            master,
            keyring,
            audit,
        })
    }
}

async fn end(running: Running, secured: &Secured) {
    // The loops end here; what they had in hand is found again by the next start.
    drop(running);
    // What was not written is told by the next start, too.
    let _ = secured.audit.close().await;
}

async fn open(args: &ServeArgs) -> Result<Local, Failure> {
    let repositories = args
        .repositories
        .iter()
        .map(|(name, path)| (name.clone(), source_at(Path::new(path))))
        .collect::<std::collections::BTreeMap<String, repositories::Source>>();
    for (name, source) in &repositories {
        if !source.path.is_dir() {
            let message = format!(
                "repository `{name}`: there is no folder {}",
                source.path.display()
            );
            return Err(Failure::new(Exit::NotFound, message));
        }
    }
    let cloned = repositories.keys().cloned().collect();
    Local::open(LocalOptions {
        data: args.data.clone(),
        isolation: isolation(args.runner),
        repositories,
        fallback: None,
        pushed: Some(args.data.join(REPOSITORIES)),
        cloned,
        hidden: vec![args.data.clone()],
        secrets: args.secrets.clone(),
        keep: false,
    })
    .await
}

fn isolation(runner: Runner) -> Isolation {
    match runner {
        Runner::Auto => Isolation::Auto,
        Runner::Bubblewrap => Isolation::Bubblewrap,
        Runner::Docker => Isolation::Docker,
        Runner::Podman => Isolation::Podman,
        Runner::Process => Isolation::Process,
    }
}

/// Beyond this machine everything would be read on the way.
fn refuse_openness(args: &ServeArgs) -> Result<(), Failure> {
    if args.listen.ip().is_loopback() || args.plain_http {
        return Ok(());
    }
    let message = format!(
        "{} is reachable from other machines, and nothing that is sent there would be encrypted",
        args.listen
    );
    Err(Failure::usage(message).with_help(
        "listen on 127.0.0.1 behind a proxy that speaks TLS, or say --plain-http if the network is \
         yours",
    ))
}

/// A server runs the builds of others: without walls they could read all that it has.
fn refuse_builds_without_walls(runner: Runner) -> Result<(), Failure> {
    if runner != Runner::Auto {
        return Ok(());
    }
    let Err(why) = sandbox::probe::bubblewrap() else {
        return Ok(());
    };
    let message = format!("builds cannot be kept apart from this server: {why}");
    Err(Failure::usage(message).with_help(
        "install bubblewrap, or name another isolation: --runner docker, --runner podman, or \
         --runner process for none at all",
    ))
}

fn occupied(args: &ServeArgs, error: &io::Error) -> Failure {
    let message = format!("cannot listen on {}: {error}", args.listen);
    Failure::usage(message)
        .with_help("name another address: --listen 127.0.0.1:0 takes a free port")
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::system("listen for signals", &error))
}

/// Reads who is to be told what, and begins where nothing was told yet.
async fn notifier(
    args: &ServeArgs,
    local: &Local,
    links: Links,
) -> Result<Option<Arc<Notifier>>, Failure> {
    let Some(path) = &args.notifications else {
        return Ok(None);
    };
    let config = read_config(path, &secrets(args.secrets.as_deref())?)?;
    let cursors = CursorStore::open(&local.directory)
        .map_err(|error| Failure::system("open the cursors of notifications", &error))?;
    let cursors: Arc<dyn Cursors> = Arc::new(cursors);
    let notifier = Notifier::new(local.world.clone(), cursors, links, config);
    notifier
        .begin()
        .await
        .map_err(|error| Failure::system("begin with notifications", &error))?;
    Ok(Some(Arc::new(notifier)))
}

fn read_config(path: &Path, secrets: &Secrets) -> Result<Config, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::NotFound, format!("cannot read {name}: {error}")))?;
    let format = Format::of_file_name(&name).unwrap_or(Format::Yaml);
    let lookup = notification::rules::Lookup {
        secret: &|name| secrets.secret(name).map(str::to_owned),
        env: &|name| std::env::var(name).ok(),
    };
    Config::read(&text, format, &lookup).map_err(|problems| {
        let source = Arc::new(Source { name, text });
        let findings = problems
            .iter()
            .map(|problem| Finding::of_problem(problem, Some(&source)))
            .collect();
        Failure {
            exit: Exit::Invalid,
            findings,
        }
    })
}

/// Removes temporary credentials that are over, now and then.
async fn remove_expired(keyring: Arc<Keyring>) {
    loop {
        // What cannot be removed now is good for nothing, and there the next time.
        let _ = keyring.remove_expired().await;
        sleep(HOUSEKEEPING).await;
    }
}

/// Takes note of what happens: for the log, the metrics, and whoever waits for news.
async fn follow(
    mut notices: tokio::sync::broadcast::Receiver<Notice>,
    moved: watch::Sender<u64>,
    metrics: Arc<Metrics>,
    tells: bool,
    log: Log,
) {
    loop {
        match notices.recv().await {
            Ok(Notice::Change(change)) => {
                let (subject, state) = match &change.subject {
                    Subject::Pipeline { state, .. } => ("pipeline", *state),
                    Subject::Stage { state, .. } => ("stage", *state),
                    Subject::Action(action) => ("action", action.state),
                };
                let state = serde_json::to_value(state).unwrap_or_default();
                let state = state.as_str().unwrap_or_default().to_owned();
                metrics.change(subject, state.clone());
                let (stage, action) = match &change.subject {
                    Subject::Pipeline { .. } => (Value::Null, Value::Null),
                    Subject::Stage { stage, .. } => (stage.clone().into(), Value::Null),
                    Subject::Action(it) => (it.stage.clone().into(), it.action.clone().into()),
                };
                log.write(
                    Level::Info,
                    "change",
                    [
                        ("pipeline", change.pipeline.clone().into()),
                        ("execution_id", change.execution.to_string().into()),
                        ("stage", stage),
                        ("action", action),
                        ("state", state.into()),
                    ],
                );
                moved.send_modify(|count| *count += 1);
            }
            Ok(Notice::Trouble(text)) => {
                log.write(Level::Warning, "trouble", [("error", text.into())]);
            }
            Ok(Notice::Ask(request)) if !tells && request.notification_arn.is_some() => {
                let message = "an approval names a topic, and nobody is told: there is no \
                               --notifications file";
                log.write(
                    Level::Warning,
                    message,
                    [
                        ("pipeline", request.key.pipeline.clone().into()),
                        ("topic", json!(request.notification_arn)),
                    ],
                );
            }
            Ok(Notice::Ask(_) | Notice::Log { .. }) => {}
            // Whoever waits for news looks at the journal, which has everything.
            Err(RecvError::Lagged(_)) => moved.send_modify(|count| *count += 1),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Tells people that the server is there, and how the AWS CLI finds it.
fn greet(terminal: Terminal, files: &credentials::Files, base: &str) {
    terminal.insist(&format!("pipewright listens on {base}"));
    terminal.insist("");
    for line in files.exports().lines() {
        terminal.insist(&format!("  {line}"));
    }
    terminal.insist("");
    terminal
        .insist("Then `aws codepipeline list-pipelines` works, and `pipewright pipeline list`.");
}
