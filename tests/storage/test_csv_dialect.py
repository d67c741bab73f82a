"""A CSV file in another encoding, or with another separator, is refused with line, column, and what was expected."""

import pytest

from featurestore.errors import ContractError
from featurestore.storage import csv_files
from featurestore.storage.csv_files import read_complete_csv

TEXT = 'id,name,city\n1,ann,Paris\n2,"b\nb",Besançon\n'
COMMAS = "expected UTF-8 with commas between fields"
CASES = {
    "latin-1": (TEXT.encode("latin-1"), r"line 4, column 'city': byte 0xE7 is not UTF-8"),
    "windows-1252 in the header": (
        "id,größe\n1,2\n".encode("cp1252"),
        "line 1, column 'gr..e': byte 0xF6",
    ),
    "utf-16": (TEXT.encode("utf-16"), "line 1 is UTF-16"),
    "utf-16 big": (b"\xfe\xff" + TEXT.encode("utf-16-be"), "line 1 is UTF-16"),
    "utf-16 without mark": (TEXT.encode("utf-16-le"), "line 1 is UTF-16"),
    "utf-32": (TEXT.encode("utf-32"), "line 1 is UTF-32"),
    "semicolons": (TEXT.replace(",", ";").encode(), "line 1, the header, has semicolons and no comma"),
    "semicolons with decimal commas": (b"id;x\n1;2,5\n", "has semicolons and no comma"),
    "quoted semicolons": (b'"id";"x,y"\n1;2\n', "has semicolons and no comma"),
    "tabs": (TEXT.replace(",", "\t").encode(), "has tabs and no comma"),
    "bars": (TEXT.replace(",", "|").encode(), "has vertical bars and no comma"),
    "marked semicolons": (b"\xef\xbb\xbf" + TEXT.replace(",", ";").encode(), "has semicolons"),
    "sep": (b"sep=;\r\nid;x\r\n1;2\r\n", "line 1 is Excel's 'sep=;', expected the header"),
    "sep of commas": (b"SEP=,\nid,x\n1,2\n", "line 1 is Excel's 'SEP=,', expected the header"),
    "after blank lines": (b"\n\nid;x\n1;2\n", "line 3, the header"),
}


@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_by_line_and_column(tmp_path, monkeypatch, case, chunk_bytes):
    """The same in a file that is read in many chunks."""
    content, message = CASES[case]
    monkeypatch.setattr(csv_files, "CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(ContractError, match=message) as caught:
        read_complete_csv(path, "orders: x.csv")
    assert COMMAS in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        b'"a;b"\n1\n',
        b"only\n1;2\n",
        b"a;b,c\n1,2\n",
        b"sep=arator,x\n1,2\n",
        "naïve,œuvre\n€,日本\n".encode(),
    ],
)
def test_utf_8_with_commas_is_read(tmp_path, content):
    """With or without its mark; separators inside quotes, in values, or beside commas are text."""
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    assert read_complete_csv(path, "x").height in (1, 2)
