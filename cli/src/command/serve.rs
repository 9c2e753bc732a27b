//! `pipewright serve`: a durable server on one machine.

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use embedded::{
    Builds, Isolation, repositories,
    sandbox::{self, Engine},
};
use rustix::{fs::Mode, process::umask};
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep},
};

use crate::{
    args::{Runner, ServeArgs},
    exit::Exit,
    failure::Failure,
    local::{Local, LocalOptions, source_at},
    serve::{
        credentials,
        house::{House, REPOSITORIES},
        log::{Level, Log},
        secured::Secured,
        server,
    },
    state,
    terminal::{Terminal, Volume},
};

/// How often a stopping server looks whether builds still run.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(args: &ServeArgs, terminal: Terminal) -> Result<Exit, Failure> {
    server::raise_file_limit();
    // Whatever is made in the data directory, by git as well, is its owner's alone. Builds set their own.
    umask(Mode::from_raw_mode(0o077));
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
    let mut signals = Signals::listen()?;
    state::make_named(&args.data)?;
    let local = open(args).await?;
    let listener = server::listen(args.listen).map_err(|error| occupied(args, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::system("listen", &error))?;
    let here = format!("http://{address}");
    let base = args.base_url.as_ref().unwrap_or(&here);
    let secured = Secured::open(&local)?;
    secured.report(log);
    let region = local.world.account.region.clone();
    let data = local.directory.path().to_owned();
    let files = credentials::prepare(&secured.keyring, &data, address, &region).await?;
    let builds = local.builds.clone();
    let (stop, stopped) = watch::channel(false);
    let house = House::open(local, &secured, args, base, stopped.clone(), log).await?;
    greet(terminal, &files, &here);
    let server = tokio::spawn(server::serve(listener, house.router, log, stopped));
    signals.next().await;
    // What would begin now would be ended soon; the next start begins it.
    house.running.machine.drain();
    builds.drain();
    let fields = [
        ("builds", builds.at_work().into()),
        ("grace_seconds", args.grace.as_secs().into()),
    ];
    log.write(
        Level::Info,
        "stopping; running builds are waited for",
        fields,
    );
    let _ = stop.send(true);
    tokio::select! {
        () = end_gently(server, house.loops, &builds, args.grace) => {}
        () = signals.next() => {
            let message = "stopping at once; running builds begin anew with the next start";
            log.write(Level::Warning, message, []);
        }
    }
    // The loops end here; what they had in hand is found again by the next start.
    drop(house.running);
    // What was not written is told by the next start, too.
    let _ = secured.audit.close().await;
    log.write(Level::Info, "stopped", []);
    Ok(Exit::Succeeded)
}

/// Whoever wants the server to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::system("listen for signals", &error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Lets requests end, then builds, as long as they are given.
async fn end_gently(
    server: JoinHandle<()>,
    mut loops: JoinSet<()>,
    builds: &Builds,
    grace: Duration,
) {
    loops.shutdown().await;
    // A listener that failed has ended as well.
    let _ = server.await;
    let until = Instant::now() + grace;
    while builds.at_work() > 0 && Instant::now() < until {
        sleep(LOOK).await;
    }
}

async fn open(args: &ServeArgs) -> Result<Local, Failure> {
    let repositories = args
        .repositories
        .iter()
        .map(|(name, path)| (name.clone(), source_at(Path::new(path))))
        .collect::<BTreeMap<String, repositories::Source>>();
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
    let missing = match runner {
        Runner::Auto | Runner::Bubblewrap => sandbox::probe::bubblewrap().err(),
        Runner::Docker => sandbox::probe::engine(Engine::Docker).err(),
        Runner::Podman => sandbox::probe::engine(Engine::Podman).err(),
        Runner::Process => None,
    };
    let Some(why) = missing else {
        return Ok(());
    };
    let message = format!("builds cannot be kept apart from this server: {why}");
    Err(Failure::usage(message).with_help(
        "install it, or name another isolation: --runner bubblewrap, docker or podman, or \
         --runner process for none at all",
    ))
}

fn occupied(args: &ServeArgs, error: &io::Error) -> Failure {
    let message = format!("cannot listen on {}: {error}", args.listen);
    Failure::usage(message)
        .with_help("name another address: --listen 127.0.0.1:0 takes a free port")
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
