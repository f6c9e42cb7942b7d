"""What `list` and `show` say of presets, which are files and no components."""

from __future__ import annotations

import tomllib

from spikedoor.cli.output import print_json, say, say_entry
from spikedoor.study.toml import presets

__all__ = ["list_presets", "show_preset"]


def list_presets(json: bool) -> None:
    """List the presets that come with the package."""
    found = [
        {"name": name, "about": table["about"], "expected": len(table.get("expected", ()))}
        for name, table in ((n, tomllib.loads(p.read_text("utf-8"))) for n, p in presets().items())
    ]
    if json:
        print_json(found)
        return
    wide = max(len(one["name"]) for one in found)
    for one in found:
        known = " (published numbers)" if one["expected"] else ""
        say_entry(f"{one['name']:{wide}}  ", f"{one['about']}{known}")


def show_preset(name: str, json: bool) -> None:
    """Show a preset: what it is, published numbers, and its file with the deviations."""
    from spikedoor.study import load_preset, located

    path = located(name)
    found = load_preset(path)
    text = path.read_text(encoding="utf-8")
    if json:
        print_json(
            {
                "kind": "preset",
                "name": path.stem,
                "about": found.about,
                "expected": [one.to_dict() for one in found.expected],
                "experiment": found.experiment.to_dict(),
                "toml": text,
            }
        )
        return
    say(f"preset {path.stem}\n\n{found.about}")
    if found.expected:
        say("\nPublished:")
    for one in found.expected:
        value = f"{100 * one.value:.2f} ± {100 * one.tolerance:.2f} %"
        say(f"  {one.stage} {one.measure} = {value}    {one.source}")
    say(f"\nTOML, with the deviations as comments:\n\n{text.rstrip()}")
