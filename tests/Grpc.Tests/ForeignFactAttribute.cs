using System.ComponentModel;
using System.Diagnostics;
using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>A foreign implementation of gRPC these tests know how to run.</summary>
public enum Foreign
{
    Grpcio,
    GrpcJs,
}

/// <summary>A test that needs a foreign implementation; skipped, with the way to get it, where it is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public class ForeignFactAttribute : FactAttribute
{
    public ForeignFactAttribute(Foreign foreign)
    {
        if (ForeignProgram.Find(foreign) is null) Skip = ForeignProgram.HowToInstall(foreign);
    }
}

/// <summary>The same where the foreign program has to be another user than the one that runs the tests.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ForeignUserFactAttribute : ForeignFactAttribute
{
    public ForeignUserFactAttribute(Foreign foreign)
        : base(foreign)
    {
        if (!Environment.IsPrivilegedProcess) Skip ??= "Only root can become another user.";
    }
}

/// <summary>Finds and runs the interpreters of foreign implementations.</summary>
internal static class ForeignProgram
{
    /// <summary>Where test.sh restores the packages of Interop/package.json, below the repository's root.</summary>
    private const string NodeModules = ".build/interop/node_modules";

    public static string HowToInstall(Foreign foreign) => foreign is Foreign.Grpcio
        ? "Python's grpcio is not installed (Debian: apt-get install python3-grpcio)."
        : "grpc-js is not installed (test.sh does it; or: npm ci in a copy of tests/Grpc.Tests/Interop, then set NODE_PATH to its node_modules).";

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<Foreign, string?> Found = new();

    /// <summary>The program, or null where it or its gRPC is missing; looked for once.</summary>
    public static string? Find(Foreign foreign) => Found.GetOrAdd(foreign, Look);

    private static string? Look(Foreign foreign)
    {
        (string Program, string Check)[] candidates = foreign is Foreign.Grpcio
            ? [("python3", "import grpc"), ("/usr/bin/python3", "import grpc")]
            : [("node", "require('@grpc/grpc-js'); require('@grpc/proto-loader')")];
        foreach (var (program, check) in candidates)
        {
            if (Succeeds(program, foreign is Foreign.Grpcio ? "-c" : "-e", check)) return program;
        }
        return null;
    }

    public static Process Start(Foreign foreign, string script, params string[] arguments)
    {
        string program = Find(foreign) ?? throw new InvalidOperationException(HowToInstall(foreign));
        return Start(program, [Path.Combine(AppContext.BaseDirectory, "Interop", script), .. arguments]);
    }

    private static string? FindNodeModules()
    {
        if (Environment.GetEnvironmentVariable("NODE_PATH") is { Length: > 0 } named) return named;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, NodeModules);
            if (Directory.Exists(candidate)) return candidate;
        }
        return null;
    }

    private static bool Succeeds(string program, params string[] arguments)
    {
        try
        {
            using var process = Start(program, arguments);
            process.StandardInput.Close();
            return process.WaitForExit(TimeSpan.FromSeconds(20)) && process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;   // there is no such program
        }
    }

    private static Process Start(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        if (FindNodeModules() is { } modules) start.Environment["NODE_PATH"] = modules;
        return Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
    }
}
