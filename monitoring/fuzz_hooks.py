"""What schemathesis leaves out: streams have no end, so nobody could wait for their answers.

A sign of life every fifteen seconds keeps a request's timeout from ever running out. What is asked
with `follow=true` in any spelling or beside other values is asked with `follow=false`.
"""

import schemathesis


def is_true(value):
    values = value if isinstance(value, (list, tuple)) else [value]
    return any(str(one).strip().lower() in ("true", "1", "yes") for one in values)


@schemathesis.hook
def before_call(context, case, kwargs):
    """In every phase: filters of generated values see none of the coverage phase's."""
    query = case.query or {}
    if is_true(query.get("follow", "")):
        query["follow"] = "false"
