//! Two hosts on this machine: network namespaces with names of their own and a cable between them, which is also cut.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Bench, Step, as_root, in_its_middle, same, steps, training};
use crate::cargo;

/// How long they may be silent once the cable is cut, in seconds.
const PATIENCE_S: u64 = 4;

/// Trains on two hosts, compares with one process, and cuts the cable between them. Says why where there can be no hosts.
pub(super) fn run(bench: &Bench, expected: &[Step]) -> Result<()> {
    let hosts = match Hosts::new(bench) {
        Ok(hosts) => hosts,
        Err(error) => {
            println!("ranks: two hosts are left out, as they need root and iproute2: {error:#}");
            return Ok(());
        }
    };
    cargo::must(&mut hosts.mpirun(&training("of-hosts", bench.steps)))?;
    same(&steps(&bench.folder.join("of-hosts"))?, expected).context("two hosts")?;
    println!("ranks: four processes on two hosts take the same steps");
    hosts.cut()?;
    println!("ranks: a cut cable ends the run, and what it had come to is gone on with");
    Ok(())
}

/// Two network namespaces, which go when this does.
struct Hosts<'a> {
    bench: &'a Bench,
    names: [String; 2],
}

impl<'a> Hosts<'a> {
    fn new(bench: &'a Bench) -> Result<Self> {
        let own = std::process::id();
        let names = ["a", "b"].map(|which| format!("sr{own}{which}"));
        let hosts = Self { bench, names };
        let [a, b] = &hosts.names;
        ip(&["netns", "add", a])?;
        ip(&["netns", "add", b])?;
        // Ends of the cable are called as their hosts are.
        ip(&[
            "link", "add", a, "netns", a, "type", "veth", "peer", "name", b, "netns", b,
        ])?;
        for (name, address) in [(a, "10.77.0.1/24"), (b, "10.77.0.2/24")] {
            ip(&["-n", name, "addr", "add", address, "dev", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "link", "set", name, "up"])?;
        }
        let file = |name: &str, text: String| {
            let path = bench.folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            anyhow::Ok(())
        };
        file("hosts", "10.77.0.1 slots=2\n10.77.0.2 slots=2\n".to_owned())?;
        // In the place of a remote shell: the second host is the only one that is not here already.
        let go = "shift; exec ip netns exec";
        file(
            "shell",
            format!("#!/bin/sh\n{go} {b} unshare -u sh -c \"hostname {b}; $*\"\n"),
        )?;
        Ok(hosts)
    }

    /// Four processes, two on each host, started from the first.
    fn mpirun(&self, words: &[String]) -> Command {
        let name = &self.names[0];
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, "unshare", "-u", "sh", "-c"]);
        command
            .arg(format!("hostname {name}; exec \"$@\""))
            .arg("sh");
        command
            .args([
                "mpirun",
                "--bind-to",
                "none",
                "--hostfile",
                "hosts",
                "-n",
                "4",
            ])
            .args(["--mca", "plm_rsh_agent"])
            .arg(self.bench.folder.join("shell"))
            // Otherwise the launcher itself believes in the other host for eight minutes more.
            .args(["--mca", "oob_tcp_keepalive_time", "2"])
            .args(["--mca", "oob_tcp_keepalive_intvl", "1"])
            .args(["--mca", "oob_tcp_keepalive_probes", "3"])
            .args(["-x", "SENSORIUM_RANKS_PATIENCE_S"])
            .arg(&self.bench.sensorium)
            .args(words)
            .env("SENSORIUM_RANKS_PATIENCE_S", PATIENCE_S.to_string())
            .current_dir(&self.bench.folder)
            .stdout(Stdio::null());
        as_root(&mut command);
        command
    }

    /// Cuts the cable in the middle of a run, and goes on with the run by one process.
    fn cut(&self) -> Result<()> {
        let (whole, out) = (200, "cut");
        let errors = self.bench.folder.join("cut.err");
        let mut command = self.mpirun(&training(out, whole));
        let mut started = command.stderr(fs::File::create(&errors)?).spawn()?;
        let log = self.bench.folder.join(out).join("metrics.jsonl");
        in_its_middle(&mut started, &log).context("the run whose cable was to be cut")?;
        ip(&["-n", &self.names[1], "link", "set", &self.names[1], "down"])?;
        let ended = Self::ends(&mut started);
        ip(&["-n", &self.names[1], "link", "set", &self.names[1], "up"])?;
        let told = fs::read_to_string(&errors)?;
        ensure!(
            !ended?.success(),
            "the cable was cut, and the run ended as if nothing was wrong"
        );
        // Whoever notices first says so: we, or the launcher, which then ends all.
        let noticed = ["nothing was heard of the others", "lost communication"];
        ensure!(
            noticed.iter().any(|line| told.contains(line)),
            "a run whose cable was cut says: {told}"
        );
        let mut resumed = self.bench.started(1);
        resumed.args(["train", "--backend", "flex", "--quiet", "--resume", out]);
        cargo::must(resumed.stdout(Stdio::null()))
    }

    /// Waits for the end of a run that lost its other half.
    fn ends(started: &mut Child) -> Result<ExitStatus> {
        let clock = Instant::now();
        while clock.elapsed() < Duration::from_secs(PATIENCE_S + 60) {
            if let Some(status) = started.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = started.kill();
        bail!("a minute after the cable was cut the run had not ended");
    }
}

impl Drop for Hosts<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            // One that was never made cannot be taken away.
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    let mut command = Command::new("ip");
    let done = command.args(words).output().context("there is no `ip`")?;
    let told = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "`{}`: {}",
        cargo::shown(&command),
        told.trim()
    );
    Ok(())
}
