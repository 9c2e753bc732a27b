//! How the pages look: calm and dense, with one accent and the colours of the states.

pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f6f7f8;--paper:#ffffff;--ink:#1b2733;--soft:#5b6875;\
--line:#d9dee3;--accent:#0f5e5b;--good:#1f7a3d;--bad:#b3261e;--wait:#8a5a00;--over:#5b6875}\
@media(prefers-color-scheme:dark){:root{--ground:#12181d;--paper:#1a2229;--ink:#e3e8ec;\
--soft:#9aa7b2;--line:#33404a;--accent:#6cc4bf;--good:#6fce8e;--bad:#ff8a80;--wait:#f0b849;\
--over:#9aa7b2}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--ground);color:var(--ink);font:14px/20px system-ui,sans-serif;\
font-variant-numeric:tabular-nums}\
header{max-width:640px;margin:0 auto;padding:24px 16px 8px;color:var(--accent);font-weight:600}\
main{max-width:640px;margin:0 auto 32px;padding:24px;background:var(--paper);\
border:1px solid var(--line);border-radius:6px}\
h1{margin:0 0 16px;font-size:20px;line-height:28px;font-weight:600;overflow-wrap:anywhere}\
.status{display:inline-block;margin:0 0 8px;padding:0 8px;border:1px solid currentColor;\
border-radius:6px;font-weight:600}\
.waiting{color:var(--wait)}.approved{color:var(--good)}.rejected{color:var(--bad)}\
.over{color:var(--over)}\
.notice{margin:0 0 16px;padding:8px 12px;border-left:4px solid var(--wait);\
background:var(--ground)}\
dl{margin:0 0 24px}\
dl div{display:flex;gap:16px;padding:6px 0;border-top:1px solid var(--line)}\
dt{flex:0 0 120px;color:var(--soft)}\
dd{flex:1;margin:0;min-width:0;overflow-wrap:anywhere}\
.text{white-space:pre-wrap}\
code{font:13px/20px ui-monospace,monospace}\
a{color:var(--accent)}\
label{display:block;margin-bottom:4px;color:var(--soft)}\
textarea{width:100%;padding:8px;border:1px solid var(--line);border-radius:6px;\
background:var(--ground);color:var(--ink);font:inherit;resize:vertical}\
.buttons{display:flex;gap:12px;margin-top:16px}\
button{padding:8px 20px;border:1px solid currentColor;border-radius:6px;background:var(--paper);\
font:inherit;font-weight:600;cursor:pointer}\
.approve{color:var(--paper);background:var(--good);border-color:var(--good)}\
.reject{color:var(--bad)}\
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}\
@media(max-width:480px){main{border-width:1px 0;border-radius:0;padding:16px}dl div{display:block}}\
";
