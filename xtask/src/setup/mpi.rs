//! Training by several processes needs the system's MPI: its headers and launcher, and libclang to read the headers with.

use std::path::Path;

use anyhow::{Result, bail};

/// Debian's packages.
const PACKAGES: [&str; 3] = ["libopenmpi-dev", "openmpi-bin", "libclang-dev"];

/// Installs Open MPI unless an MPI is there.
pub(crate) fn set_up() -> Result<()> {
    if ready() {
        println!("mpi: ready");
        return Ok(());
    }
    let otherwise = "install Open MPI or MPICH with its headers, and libclang";
    super::apt::install("mpi", &PACKAGES, otherwise)?;
    if !ready() {
        bail!("the packages are installed, but mpicc, mpirun or libclang is not to be found");
    }
    Ok(())
}

/// Whether programs can be built with MPI and started side by side.
pub(crate) fn ready() -> bool {
    ["mpicc", "mpirun"].into_iter().all(in_path) && has_libclang()
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn has_libclang() -> bool {
    let is_it = |folder: &Path| {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.into_iter().any(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with("libclang.") || name.starts_with("libclang-")
        })
    };
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let fixed = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
    ];
    let llvm = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let llvm = llvm
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm-"))
        .map(|entry| entry.path().join("lib"));
    fixed
        .iter()
        .map(|folder| Path::new(folder).to_owned())
        .chain(llvm)
        .any(|folder| is_it(&folder))
}
