"""Names that no contract declares are shown only where they resemble a declared one."""

import msgspec
import pytest

from featurestore.values.names import undeclared, without_field_names

DECLARED = ("amount", "customer", "ordered_at")


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["ammount"], "'ammount'"),
        (["ada@example.org"], "1 column"),
        (
            ["ada@example.org", "Custmer", "+44 20 7946 0000", "custmer"],
            "'Custmer', 'custmer' and 2 other columns",
        ),
        (["x" * 10_000] * 5_000, "5,000 columns"),
    ],
)
def test_a_slip_is_shown_and_a_value_is_counted(names, shown):
    """Long and many names are not compared."""
    assert undeclared(names, DECLARED) == shown


class Row(msgspec.Struct, forbid_unknown_fields=True):
    amount: float = 0.0


@pytest.mark.parametrize("name", ["ada@example.org", "a`b", "a - at `$.x`", "a\nb", ""])
def test_the_message_of_a_decoder_has_the_place_and_not_the_name(name):
    """The name may itself look like the end of the message."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode([{name: 1}]), type=list[Row])
    assert without_field_names(str(caught.value)) == "Object contains an unknown field - at `$[0]`"
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode({name: 1}), type=Row)
    assert without_field_names(str(caught.value)) == "Object contains an unknown field"
