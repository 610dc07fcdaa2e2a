"""MarkupSafe: a small module in C, beside Python."""

import markupsafe
from markupsafe import _speedups

print(markupsafe.escape("<a href='x'>&\"</a>"), repr(markupsafe.escape(markupsafe.Markup("<b>"))))
for text in ("", "plain", "ü<", "\u20ac & \u20ac", "\U0001f600 > 'x'", "<" * 50):
    print(_speedups._escape_inner(text))
print(markupsafe.Markup("<p>%s %d</p>") % ("<x>", 3), markupsafe.Markup("a &lt; b").unescape())
print(markupsafe.escape(3), markupsafe.escape(None), markupsafe.Markup.escape(["<"]))
print(markupsafe.escape.__module__, _speedups.__name__)
