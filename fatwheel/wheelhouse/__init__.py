"""A folder of wheels for a whole dependency tree, all of them for both architectures, with a lock file.

requirements → resolve (uv, once for each architecture, against our index) → choose (a file for each pin)
→ collect (fetched and fused by the index) → the folder, pylock.toml, wheelhouse.json, report.html
"""
