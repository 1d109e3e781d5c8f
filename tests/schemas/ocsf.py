#!/usr/bin/env python3
"""Writes the JSON Schemas of the OCSF 1.8.0 classes that we emit, as PyPI's ocsf-json-schema 1.2.0 generates them.

Titles and descriptions are left out: they are nine tenths of the bytes and constrain nothing. The schema of OCSF is
Apache-2.0 (github.com/ocsf/ocsf-schema). Usage: pip install ocsf-json-schema==1.2.0 && python3 ocsf.py
"""
import json, pathlib
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"


def bare(value, names=False):
    """Without title and description, unless these are names of properties."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if names or k not in ("title", "description")}
        return {k: bare(v, names=k in ("properties", "$defs") and not names) for k, v in kept.items()}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value


ocsf = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
for uid in (2003, 2004, 6007, 6008):
    schema = ocsf.get_class_schema(ocsf.lookup_class_name_from_uid(uid), ["host"])
    text = json.dumps(bare(schema), separators=(",", ":"), sort_keys=True)
    pathlib.Path(__file__).with_name(f"ocsf-{VERSION}-{uid}.json").write_text(text + "\n")
