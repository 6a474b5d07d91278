#!/usr/bin/env bash
# Playwright 1.65.2: wait_for_function evaluates an expression again at every poll, in the page.
#
# On a page whose Content-Security-Policy allows no eval, an expression that is true at the first
# poll is waited for without complaint; one that becomes true a moment later raises EvalError at the
# second poll. So a test passes on a fast machine and fails on a busy one, and evaluate(), which
# works with the same text on the same page, is no warning. A text that is a function is evaluated
# once and called at every poll: it waits. Needs a Chromium on PATH, or named by CHROMIUM.
#
# Seen with Chromium 156: expression, true at first: waited
#                         expression, true later:    EvalError
#                         function, true later:      waited
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check playwright==1.65.2
CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v google-chrome)}" "$place/env/bin/python" - <<'PY'
import os

from playwright.sync_api import Error, sync_playwright

POLICY = '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'">'
CASES = {
    "expression, true at first": ("document.title === 'set'", 0),
    "expression, true later": ("document.title === 'set'", 500),
    "function, true later": ("() => document.title === 'set'", 500),
}
found = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]
    )
    for name, (text, after_ms) in CASES.items():
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(body=POLICY, content_type="text/html"))
        page.goto("http://page.invalid/")
        page.evaluate(
            "after => after ? setTimeout(() => { document.title = 'set' }, after)"
            " : document.title = 'set'",
            after_ms,
        )
        try:
            page.wait_for_function(text, timeout=10_000)
            found[name] = "waited"
        except Error as error:
            found[name] = "EvalError" if "EvalError" in str(error) else type(error).__name__
        print(f"{name}: {found[name]}")
    browser.close()
assert list(found.values()) == ["waited", "EvalError", "waited"], "the behaviour has changed"
PY
