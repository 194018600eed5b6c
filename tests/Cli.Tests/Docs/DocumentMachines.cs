using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Membership.Cli.Tests.Docs;

/// <summary>The machines of a document, on this one: a folder and loopback addresses for each, the programs as they are installed there, and stand-ins for systemctl and scp.</summary>
internal sealed partial class DocumentMachines : IDisposable
{
    /// <summary>A reading command is repeated until it says what the document says, so long.</summary>
    private static readonly TimeSpan StateLimit = TimeSpan.FromSeconds(90);

    /// <summary>The first command may have to build the programs.</summary>
    private static readonly TimeSpan CommandLimit = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(200);

    /// <summary>Folders that each machine has of its own.</summary>
    private static readonly string[] Folders = ["/etc/membership", "/etc/corosync", "/etc/systemd/system", "/run/membership", "/var/lib/membership", "/opt/membership", "/usr/bin", "/usr/sbin"];

    private static readonly string[] Reading = ["mbr status", "mbr quorum status", "mbr check", "mbr node list", "mbr link", "mbr view list"];

    private readonly string _top = Directory.CreateTempSubdirectory("mbr-doc-").FullName;
    private readonly Dictionary<string, string> _networks = [];
    private readonly string _net = string.Create(CultureInfo.InvariantCulture, $"127.{Random.Shared.Next(64, 250)}.");

    /// <summary>Makes the folders of each machine.</summary>
    public DocumentMachines(IEnumerable<string> machines, params ReadOnlySpan<string> networks)
    {
        foreach (var network in networks)
            _networks[network] = string.Create(CultureInfo.InvariantCulture, $"{_net}{_networks.Count + 1}.");
        foreach (var machine in machines)
            foreach (var folder in (ReadOnlySpan<string>)["etc/systemd/system", "run/membership", "var/lib", "opt", "usr/bin", "usr/sbin"])
                Directory.CreateDirectory(Path.Combine(_top, machine, folder));
    }

    /// <summary>Writes a file of a machine; addresses become those of this run.</summary>
    public void Write(string machine, string path, string text)
    {
        var file = Path.Combine(_top, machine, path.TrimStart('/'));
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, Local(text));
    }

    /// <summary>Types a command and compares its exit code with the document's.</summary>
    public async Task RunAsync(DocumentCommand command)
    {
        foreach (var machine in command.Machines)
        {
            var repeats = Reading.Any(each => command.Text.StartsWith(each, StringComparison.Ordinal));
            var started = Stopwatch.StartNew();
            var (code, output) = await TypeAsync(machine, command.Text);
            while (repeats && !IsAsWritten(command, code, output) && started.Elapsed < StateLimit)
            {
                await Task.Delay(Pace);
                (code, output) = await TypeAsync(machine, command.Text);
            }
            Assert.True(IsAsWritten(command, code, output), $"line {command.Line} on {machine}: {command.Text}\nended with {code}\n{output}\n{command.Picture}\n{Logs()}");
        }
    }

    private static bool IsAsWritten(DocumentCommand command, int code, string output) =>
        command.ExitCodes.Contains(code) && (command.Picture is null || Shape(command.Picture) == Shape(output));

    // What differs from run to run is left out: number and id of the view, durations, whether the token was timed yet, widths of columns.
    private static string Shape(string screen)
    {
        var text = View().Replace(screen, "view");
        text = Duration().Replace(text, "time");
        text = Rotation().Replace(text, " - ");
        return string.Join('\n', text.Trim().Split('\n').Select(static line => Gap().Replace(line.Trim(), " ")));
    }

    public void Dispose()
    {
        foreach (var file in Directory.EnumerateFiles(_top, "pid", SearchOption.AllDirectories))
        {
            try
            {
                using var daemon = Process.GetProcessById(int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture));
                daemon.Kill();
                daemon.WaitForExit();
            }
            catch (ArgumentException)
            {
                // it has ended already
            }
        }
        Directory.Delete(_top, recursive: true);
    }

    private async Task<(int Code, string Output)> TypeAsync(string machine, string text)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"{Prelude(machine)}\n{Paths(machine, Local(text))}"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = SourceTree.Root,
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(CommandLimit);
        var output = process.StandardOutput.ReadToEndAsync(limit.Token);
        var error = process.StandardError.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output + await error);
    }

    private string Prelude(string machine) => $$"""
        set -uo pipefail
        top='{{_top}}' machine='{{machine}}'
        export MBR_SOCKET="$top/$machine/run/membership/api.sock" PATH="$top/$machine/usr/bin:$top/$machine/usr/sbin:$PATH"
        export DOTNET_ROOT=${DOTNET_ROOT:-$(dirname "$(readlink -f "$(command -v dotnet)")")}
        scp() {
            [[ $1 != -p ]] || shift
            local to=${!#} other path
            other=${to%%:*} path=${to#*:}
            cp -p "${@:1:$#-1}" "${path/#$top\/$machine\//$top/$other/}"
        }
        unit=$top/$machine/etc/systemd/system/membershipd.service
        systemctl() {
            case "$*" in
                daemon-reload) cp "$unit" "$top/$machine/loaded" ;;
                "enable --now membershipd"|"start membershipd")
                    local word words=()
                    for word in $(sed -n 's/^ExecStart=//p' "$top/$machine/loaded"); do
                        if [[ $word == /* ]]; then words+=("$top/$machine$word"); else words+=("$word"); fi
                    done
                    nohup "${words[@]}" --node "$machine" --state-dir "$top/$machine/var/lib/membership" \
                        --socket "$MBR_SOCKET" >>"$top/$machine/log" 2>&1 </dev/null &
                    echo $! >"$top/$machine/pid" ;;
                "stop membershipd")
                    local pid; pid=$(cat "$top/$machine/pid"); kill "$pid"
                    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done ;;
                "disable --now corosync") ;;
                *) echo "no such unit or verb: $*" >&2; return 1 ;;
            esac
        }
        """;

    private string Paths(string machine, string text)
    {
        foreach (var folder in Folders)
            text = text.Replace(folder, $"{_top}/{machine}{folder}", StringComparison.Ordinal);
        return text;
    }

    private string Local(string text) => _networks.Aggregate(text, static (result, network) => result.Replace(network.Key, network.Value, StringComparison.Ordinal));

    private string Logs()
    {
        var logs = new StringBuilder();
        foreach (var file in Directory.EnumerateFiles(_top, "log", SearchOption.AllDirectories))
            logs.AppendLine(file).AppendLine(string.Join('\n', File.ReadLines(file).TakeLast(15)));
        return logs.ToString();
    }

    [GeneratedRegex(@"view \d+ \([0-9a-f.]+\)")]
    private static partial Regex View();

    [GeneratedRegex(@"\b(\d+(\.\d+)?(ms|us|s|m|h))+\b")]
    private static partial Regex Duration();

    [GeneratedRegex(@" \d{2,} ")]
    private static partial Regex Rotation();

    [GeneratedRegex(" +")]
    private static partial Regex Gap();
}
