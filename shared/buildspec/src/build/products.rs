//! What a build leaves: test reports, artifacts, a cache for the next one.

use super::{
    cache::{Cache, Saved},
    expand,
    log::Log,
    phases::{Build, Outcome},
    run::{chain, now_ms},
    test_reports, upload,
};

/// A cache block after the shell has seen it.
pub(super) struct Expanded {
    pub(super) key: Option<String>,
    pub(super) fallback_keys: Vec<String>,
    pub(super) paths: Vec<String>,
}

impl Build<'_> {
    /// Reports, artifacts, cache.
    pub(super) fn upload(&mut self, is_good: bool, log: &mut Log) -> Outcome {
        if let Some(interruption) = self.interruption() {
            return Outcome::Interrupted(interruption);
        }
        let outcome = self
            .read_reports(log)
            .and_then(|()| self.pack(log))
            .err()
            .unwrap_or(Outcome::Succeeded);
        if is_good && outcome.is_success() {
            self.save(log);
        }
        outcome
    }

    fn expand(&mut self, text: &str, log: &mut Log) -> Result<Option<String>, Outcome> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        Ok(expand::text(text, session, self.watch, log)?)
    }

    fn read_reports(&mut self, log: &mut Log) -> Result<(), Outcome> {
        for group in self.spec.reports.clone() {
            let name = self
                .expand(&group.name, log)?
                .unwrap_or_else(|| group.name.clone());
            let Some(tree) = &self.tree else {
                return Ok(());
            };
            let mut report =
                test_reports::read(&group, name, &self.order.project_name, &tree.primary);
            for failure in &mut report.failures {
                for text in [&mut failure.suite, &mut failure.name, &mut failure.message] {
                    *text = log.mask().text(text);
                }
            }
            for text in [&mut report.name, &mut report.group] {
                *text = log.mask().text(text);
            }
            report.reason = report.reason.map(|reason| log.mask().text(&reason));
            log.say(&format!(
                "Report {}: {} test(s), {} passed, {} failed, {} error(s), {} skipped",
                report.name,
                report.total,
                report.passed,
                report.failed,
                report.errors,
                report.skipped
            ));
            if let Some(reason) = &report.reason {
                log.say(&format!(
                    "Warning: report {} is incomplete: {reason}",
                    report.name
                ));
            }
            self.reports.push(report);
        }
        Ok(())
    }

    fn pack(&mut self, log: &mut Log) -> Result<(), Outcome> {
        let order = self.order;
        let artifacts = self.spec.artifacts.clone();
        for (output, set) in upload::assign(artifacts.as_ref(), &order.outputs)? {
            let name = match &set.name {
                Some(name) => self.expand(name, log)?,
                None => None,
            };
            let Some(tree) = &self.tree else {
                return Ok(());
            };
            let artifact = upload::artifact(output, set, name, &tree.primary, log)?;
            self.artifacts.push(artifact);
            if let Some(interruption) = self.interruption() {
                return Err(Outcome::Interrupted(interruption));
            }
        }
        Ok(())
    }

    pub(super) fn restore(&mut self, log: &mut Log) -> Result<(), Outcome> {
        if self.order.cache.is_none() {
            return Ok(());
        }
        let Some(block) = self.spec.cache.clone() else {
            return Ok(());
        };
        let mut cache = Expanded {
            key: None,
            fallback_keys: Vec::new(),
            paths: Vec::new(),
        };
        let source = self
            .tree
            .as_ref()
            .map(|tree| tree.primary.clone())
            .unwrap_or_default();
        for path in &block.paths {
            let Some(path) = self.expand(path, log)? else {
                log.say(&format!(
                    "Warning: the cache is not used: {path} cannot be expanded"
                ));
                return Ok(());
            };
            cache.paths.push(path);
        }
        if let Some(key) = &block.key {
            let Some(key) = self.expand(&expand::hash_files(key, &source), log)? else {
                log.say(&format!(
                    "Warning: the cache is not used: {key} cannot be expanded"
                ));
                return Ok(());
            };
            cache.key = Some(key);
            for key in &block.fallback_keys {
                cache
                    .fallback_keys
                    .extend(self.expand(&expand::hash_files(key, &source), log)?);
            }
        }
        self.cache = Some(cache);
        if !block.restore {
            return Ok(());
        }
        match self.opened_cache().map(|cache| cache.restore()) {
            Some(Ok(Some(key))) => log.say(format!("Cache restored {key}").trim_end()),
            Some(Ok(None)) => log.say("Unable to find cache: nothing is saved for it yet"),
            Some(Err(error)) => log.say(&format!("Warning: cache not restored: {}", chain(&error))),
            None => {}
        }
        Ok(())
    }

    fn opened_cache(&self) -> Option<Cache<'_>> {
        let (expanded, tree) = (self.cache.as_ref()?, self.tree.as_ref()?);
        Some(Cache {
            directory: self.order.cache.as_deref()?,
            source: &tree.primary,
            home: &tree.home,
            key: expanded.key.clone(),
            fallback_keys: expanded.fallback_keys.clone(),
            paths: expanded.paths.clone(),
            written_paths: &self.spec.cache.as_ref()?.paths,
        })
    }

    fn save(&mut self, log: &mut Log) {
        if !self.spec.cache.as_ref().is_some_and(|block| block.save) {
            return;
        }
        match self.opened_cache().map(|cache| cache.save(now_ms())) {
            Some(Ok(Saved::Yes(files))) => log.say(&format!("Cache saved: {files} file(s)")),
            Some(Ok(Saved::KeyExists)) => log.say("Cache not saved: its key exists"),
            Some(Ok(Saved::NothingFound)) => log.say("Cache not saved: no matching paths found"),
            Some(Err(error)) => log.say(&format!("Warning: cache not saved: {}", chain(&error))),
            None => {}
        }
    }
}
