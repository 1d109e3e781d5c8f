//! What `sshproof manifest` shows of a manifest.

use super::page::{Page, Style, Tone};
use crate::model::manifest::{File, ImageFile, Layer, Manifest};
use crate::model::text::printable;

/// The manifest in short; of the package called `package` its files too.
#[must_use]
pub fn show(manifest: &Manifest, package: Option<&str>, style: Style) -> String {
    let mut page = Page::new(style);
    head(manifest, &mut page);
    page.gap();
    for found in &manifest.packages {
        if package.is_some_and(|name| name != found.name) {
            continue;
        }
        page.text(
            2,
            &printable(&format!(
                "{} {} {} ({} files)",
                found.name,
                found.version,
                found.architecture,
                found.files.len()
            )),
        );
        for file in found.files.iter().filter(|_| package.is_some()) {
            page.text(4, &line(file));
        }
    }
    page.finish()
}

/// Whose signatures it bears: each key with what is wrong with its signature, if anything, and whether it is one asked for.
#[must_use]
pub fn verified(manifest: &Manifest, keys: &[(String, Option<String>)], problem: Option<&str>, style: Style) -> String {
    let mut page = Page::new(style);
    head(manifest, &mut page);
    page.gap();
    for (key, wrong) in keys {
        let (tone, words) = match wrong {
            Some(wrong) => (Tone::Alarm, format!(" {}: {wrong}", printable(key))),
            None => (Tone::Calm, format!(" {} holds", printable(key))),
        };
        page.toned_field("signature", tone, &words);
    }
    if let Some(problem) = problem {
        page.toned_field("does not count", Tone::Alarm, &format!(" {problem}"));
    }
    page.finish()
}

fn head(manifest: &Manifest, page: &mut Page) {
    page.heading(&printable(&manifest.label));
    page.field("made", &format!("{} by sshproof {}", manifest.made_at, printable(&manifest.tool)));
    page.field("ends", &manifest.expires.to_string());
    page.field(
        "packages",
        &format!("{}, with {} signed headers of rpm", manifest.packages.len(), manifest.headers.len()),
    );
    if let Some(image) = &manifest.image {
        let count = |layer: Layer| image.iter().filter(|file: &&ImageFile| file.layer == layer).count();
        let layers =
            [Layer::Image, Layer::Overlay, Layer::Node].map(|layer| format!("{} {}s", count(layer), layer.name()));
        page.field("image", &layers.join(", "));
    }
    let signed = if manifest.signatures.is_empty() { "not yet" } else { "yes" };
    page.field("signed", signed);
}

fn line(file: &File) -> String {
    let digest = file.digest.map_or_else(|| "no digest".to_owned(), |digest| digest.to_string());
    let mode = file.mode.map(|mode| format!(" {mode:04o}")).unwrap_or_default();
    let config = if file.config { " (configuration)" } else { "" };
    format!("{}{mode} {digest}{config}", file.path)
}
