# Rows of run.sh in, two markdown tables out: throughput and lone messages; then the ratios of membership to each corosync.

def median: sort | if length == 0 then null elif length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def round_to(digits): if . == null then "-" else (. * pow(10; digits) | round) / pow(10; digits) end;
def rate: round_to(if . == null then 0 elif . >= 100 then 0 else 1 end);

# The slowest receiver's rate; a node that reported nothing makes the case worth 0.
def delivered: if (.nodes | length) < 3 or .status != 0 then 0 else [.nodes[].messages_per_second] | min end;
def senders: if .kind | startswith("all") then .nodes else [.nodes[] | select(.self_us.count > 0)] end;
def summary: {
    system: .[0].system, kind: .[0].kind, size: .[0].size,
    rates: map(delivered),
    self_p50: (map([senders[].self_us.p50] | median) | median),
    self_p99: (map([senders[].self_us.p99] | max) | median),
    self_p999: (map([senders[].self_us.p999] | max) | median),
    other_p50: (map([.nodes[] | select(.other_us.count > 0) | .other_us.p50] | median) | median),
    other_p99: (map([.nodes[] | select(.other_us.count > 0) | .other_us.p99] | max) | median),
    other_p999: (map([.nodes[] | select(.other_us.count > 0) | .other_us.p999] | max) | median),
    cpu_us: (map(select(([.nodes[].sent] | add // 0) > 0) | 1000 * .daemon_cpu_ms / ([.nodes[].sent] | add)) | median),
    failed: (map(select(.status != 0)) | length)
};
def note: if .failed > 0 then " (\(.failed) failed)" else "" end;

(group_by([.kind, .size, .system]) | map(summary)) as $cases
| (["one", "all"] | map({ (.): 1 }) | add) as $throughput
| "| senders | bytes | system | msg/s | range | MB/s | self p50 µs | self p99 µs | other p50 µs | other p99 µs | daemons' CPU µs/msg |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ($cases | map(select($throughput[.kind])) | sort_by([.kind == "all", .size, .system])[]
    | "| \(.kind) | \(.size) | \(.system)\(note) | \(.rates | median | rate) | \(.rates | min | rate)-\(.rates | max | rate) | \((.rates | median) * .size / 1e6 | round_to(2)) | \(.self_p50 | round_to(0)) | \(.self_p99 | round_to(0)) | \(.other_p50 | round_to(0)) | \(.other_p99 | round_to(0)) | \(.cpu_us | round_to(1)) |"),
  "",
  "| lone message, bytes | system | messages/s | self p50 µs | self p99 | self p99.9 | other p50 | other p99 | other p99.9 |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ($cases | map(select(.kind == "lone")) | sort_by([.size, .system])[]
    | "| \(.size) | \(.system)\(note) | \(.rates | median | rate) | \(.self_p50 | round_to(0)) | \(.self_p99 | round_to(0)) | \(.self_p999 | round_to(0)) | \(.other_p50 | round_to(0)) | \(.other_p99 | round_to(0)) | \(.other_p999 | round_to(0)) |"),
  (if ($cases | map(select(.kind | contains("-"))) | length) > 0 then
    "",
    "| senders, % of own maximum | bytes | system | msg/s | self p50 µs | self p99 | other p50 | other p99 |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ($cases | map(select(.kind | contains("-"))) | sort_by([.kind, .size, .system])[]
      | "| \(.kind | sub("-"; ", ")) | \(.size) | \(.system)\(note) | \(.rates | median | rate) | \(.self_p50 | round_to(0)) | \(.self_p99 | round_to(0)) | \(.other_p50 | round_to(0)) | \(.other_p99 | round_to(0)) |")
  else empty end),
  (if ($cases | map(select(.system | startswith("membership"))) | length) > 0 then
    "",
    "| case | against | msg/s, ours : theirs | lone self p50, ours : theirs |",
    "| --- | --- | --- | --- |",
    ($cases | map(select(.system | startswith("membership"))) | sort_by([.system, .kind, .size])[] as $ours
      | $cases[] | select((.system | startswith("membership") | not) and .kind == $ours.kind and .size == $ours.size) as $theirs
      | "| \($ours.system): \($ours.kind) \($ours.size) B | \($theirs.system) | \(if ($theirs.rates | median) > 0 then ($ours.rates | median) / ($theirs.rates | median) | round_to(2) else "-" end) | \(if $ours.kind == "lone" and ($theirs.self_p50 // 0) > 0 then $ours.self_p50 / $theirs.self_p50 | round_to(2) else "-" end) |")
  else empty end)
