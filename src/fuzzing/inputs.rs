//! The inputs, of the action and of the command line.

use super::input::text;
use crate::inputs::{ALL, Inputs, PLATFORMS, TAGS};

/// Reads a text as the value of each input.
pub fn inputs(bytes: &[u8]) {
    let text = text(bytes);
    for about in ALL {
        drop((about.faults)(&text));
    }
    let given = Inputs::collect(|_| Some(text.clone().into_owned()));
    if let Ok(platforms) = given.get(&PLATFORMS) {
        let names: Vec<_> = platforms.iter().map(ToString::to_string).collect();
        assert_eq!(PLATFORMS.read(&names.join(",")), Ok(platforms), "platforms have one spelling");
    }
    if let Ok(Some(templates)) = given.get(&TAGS)
        && !templates.is_empty()
    {
        let texts: Vec<_> = templates.iter().map(ToString::to_string).collect();
        assert_eq!(TAGS.read(&texts.join("\n")), Ok(Some(templates)), "templates are what was given");
    }
}
