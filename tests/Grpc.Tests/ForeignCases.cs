using Xunit;

namespace Membership.Grpc.Tests;

/// <summary>Runs a script of Interop, which prints a line for each case that went well.</summary>
internal static class ForeignCases
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Where the proto files are.</summary>
    public static string Protos => Path.Combine(AppContext.BaseDirectory, "Protos");

    /// <summary>Runs it and has it pass all its cases.</summary>
    public static async Task PassAsync(int cases, Foreign foreign, string script, params string[] arguments)
    {
        using var client = ForeignProgram.Start(foreign, script, arguments);
        client.StandardInput.Close();
        var output = client.StandardOutput.ReadToEndAsync();
        var errors = client.StandardError.ReadToEndAsync();
        await client.WaitForExitAsync().WaitAsync(Patience);

        string said = await output + await errors;
        int passed = said.Split('\n').Count(line => line.StartsWith("ok ", StringComparison.Ordinal));
        Assert.True(client.ExitCode == 0 && passed == cases, $"{passed} of {cases} cases, exit code {client.ExitCode}:\n{said}");
    }
}
