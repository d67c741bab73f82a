"""What a page of HTML is made of, as a reader and a browser take it."""

from html.parser import HTMLParser

VOID = {"meta", "br", "wbr", "path", "rect", "circle", "link", "img", "input", "hr"}
INLINE = {"a", "code", "span", "strong", "svg"}


class Markup(HTMLParser):
    """Reads a page; what is opened must be closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        self.text += "" if tag in INLINE else " "

    def handle_data(self, data):
        if not {"style", "title"} & {*self._open}:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(self.text.split())
