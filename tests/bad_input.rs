//! What is sent to a server that should not have been: it ends in a modelled error or in a closed
//! connection, never in a failure of the server, never in a lost acceptance.

mod body;
mod connections;
mod directory;
mod disk;
mod pages;
mod protocol;
mod signature;
mod stop;

use tempfile::TempDir;

use crate::served::{
    Server,
    wire::{Answer, Wire},
};

/// A server in a folder of its own.
struct House {
    server: Server,
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = [&["--runner", "process"], more].concat();
        let server = Server::start(folder.path(), &options);
        Self { server, folder }
    }

    /// Sends bytes on a connection of their own; none when the connection was closed instead.
    fn send(&self, bytes: &[u8]) -> Option<Answer> {
        let mut wire = Wire::open(self.server.address).expect("it can be reached");
        // A server that has heard enough closes while it is still spoken to.
        let _ = wire.send(bytes);
        wire.answer().ok().flatten()
    }

    /// Fails unless the server still serves and never said that it failed.
    fn check(&self) {
        let pipelines = self.server.expect("ListPipelines", &serde_json::json!({}));
        assert!(pipelines["pipelines"].is_array(), "{pipelines}");
        self.server.check_errors();
    }
}

/// The exception of a modelled error of the client.
fn exception(answer: Option<&Answer>) -> String {
    let answer = answer.expect("it was answered");
    assert!((400..500).contains(&answer.status), "{answer:?}");
    let exception = answer.exception();
    exception.unwrap_or_else(|| panic!("it is not modelled: {}", answer.text()))
}
