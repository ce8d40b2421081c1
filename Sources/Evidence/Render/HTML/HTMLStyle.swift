/// How the page looks, on a screen and on paper.
enum HTMLStyle {
    static let text = """
        :root { color-scheme: light; --line: #d0d5db; --good: #1a6b3a; --bad: #a3161f; \
        --doubt: #8a5a00; }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.5rem; color: #1c2127; \
        background: #fff; font: 15px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
        h1 { margin: 0; font-size: 1.8rem; }
        h2 { margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 2px solid #1c2127; \
        font-size: 1.15rem; }
        h3 { margin: 1.1rem 0 .2rem; font-size: 1rem; }
        p { margin: .4rem 0; }
        code { font: .86em/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; \
        overflow-wrap: anywhere; }
        .verdict { display: inline-block; margin: .5rem 0; padding: .2rem .9rem; \
        border: 2px solid; border-radius: .3rem; font-size: 1.2rem; font-weight: 700; }
        .proven { color: var(--good); } .violated { color: var(--bad); }
        .notProven { color: var(--doubt); }
        td.proven, td.violated, td.notProven { font-weight: 600; white-space: nowrap; }
        table { width: 100%; border-collapse: collapse; margin: .6rem 0; font-size: .9rem; }
        th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); \
        text-align: left; vertical-align: top; overflow-wrap: anywhere; }
        td:nth-child(-n+2) { min-width: 6.5em; }
        th { background: #f3f5f7; }
        .number { text-align: right; font-variant-numeric: tabular-nums; }
        .cards { display: flex; flex-wrap: wrap; gap: .7rem; margin: .6rem 0; }
        .cards div { flex: 1 1 8rem; padding: .5rem .8rem; border: 1px solid var(--line); \
        border-radius: .3rem; }
        .cards b { display: block; font-size: 1.3rem; }
        .finding { margin: .8rem 0; padding: .5rem .9rem; border-left: 4px solid var(--bad); \
        background: #fbf3f3; }
        .finding dl { display: grid; grid-template-columns: 7rem 1fr; gap: .15rem .8rem; \
        margin: .3rem 0; }
        .finding dt { font-weight: 600; } .finding dd { margin: 0; }
        ol.path { margin: .3rem 0; padding-left: 1.4rem; }
        svg { max-width: 100%; height: auto; }
        svg text { font: 12px system-ui, Helvetica, Arial, sans-serif; fill: #1c2127; }
        .legend { font-size: .85rem; }
        @media print {
          body { max-width: none; padding: 0; font-size: 10pt; }
          section { break-inside: auto; } h2, h3 { break-after: avoid; }
          tr, .finding, .cards div, svg { break-inside: avoid; }
          * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          @page { margin: 16mm; }
        }

        """
}
