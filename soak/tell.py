"""One line of a table, and the same for programs."""


def say(measures, measure, unit, target, measured, passed):
    measures.append({"measure": measure.strip(), "unit": unit, "target": target,
                     "measured": measured, "pass": passed})
    goal = "" if target is None or target is True else f"(target {target})"
    shown = {True: "yes", False: "no"}.get(measured, measured) if unit == "" else measured
    print(f"  {measure:82}{shown:>10} {unit:10}{goal:16}{'' if passed else '<-- WRONG'}",
          flush=True)
