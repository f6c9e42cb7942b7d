"""The index of a sweep, as strangers may write it: no damage is told a million times."""

import pytest
from pydantic import ValidationError

from spikedoor.study.index import Index

ROWS = ",".join(f'"{k}": 1' for k in range(9999))
ITEMS = ",".join(['"a"'] * 9999)


@pytest.mark.parametrize(
    "text",
    [
        f"{{{ROWS}}}",
        f'{{"made": {{{ROWS}}}}}',
        f'{{"made": {{"a": {{{ROWS}}}}}}}',
        f'{{"tests": {{"a": {{"classes": [], "labels": [{ITEMS}]}}}}}}',
        f'{{"readings": [{ITEMS}]}}',
        f'{{"readings": [{{"steps": {{{ROWS}}}}}]}}',
        f'{{"readings": [{{"stages": {{"victim": {{{ROWS}}}}}}}]}}',
    ],
    ids=["keys", "made", "of made", "labels", "readings", "steps", "stages"],
)
def test_many_wrong_entries_are_few_errors(text):
    with pytest.raises(ValidationError) as found:
        Index.model_validate_json(text)
    assert found.value.error_count() < 20
