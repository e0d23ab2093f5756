//! Findings on the disk: the report in all its forms, as the benchmark and
//! evaluations write it.

use std::path::Path;

use hotcell_measure::{Findings, render};

use crate::command::Problem;

/// The report's JSON, which is also what a second run is compared with.
pub(crate) const JSON: &str = "report.json";

/// Writes the report into a folder; returns its JSON.
pub(crate) fn report(findings: &Findings, folder: &Path) -> Result<String, Problem> {
    let json = render::json(findings).map_err(Problem::failed)?;
    write(&folder.join(JSON), &json)?;
    write(&folder.join("report.md"), &render::markdown(findings))?;
    write(&folder.join("report.html"), &render::html(findings))?;
    for (name, chart) in render::charts(findings) {
        write(&folder.join(name), &chart)?;
    }
    Ok(json)
}

/// Writes a file; its folder is there.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let written = std::fs::write(path, text);
    written.map_err(|error| Problem::failed(format!("cannot write `{}`: {error}", path.display())))
}
