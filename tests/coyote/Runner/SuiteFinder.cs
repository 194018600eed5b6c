using System.Reflection;
using Membership.Explorer;

namespace Membership.Exploration;

/// <summary>Finds the suites of every <c>Membership.Exploration*.dll</c> beside the program.</summary>
internal static class SuiteFinder
{
    public static IReadOnlyList<Suite> Find()
    {
        var suites = Directory.GetFiles(AppContext.BaseDirectory, "Membership.Exploration*.dll")
            .Order(StringComparer.Ordinal)
            .Select(path => Assembly.Load(AssemblyName.GetAssemblyName(path)))
            .SelectMany(assembly => assembly.GetExportedTypes())
            .Where(type => typeof(ISuites).IsAssignableFrom(type) && type is { IsAbstract: false, IsInterface: false })
            .OrderBy(type => type.FullName, StringComparer.Ordinal)
            .SelectMany(type => ((ISuites)Activator.CreateInstance(type)!).All) // a type with a public constructor without parameters, as ISuites asks for
            .ToList();
        var twice = suites.GroupBy(suite => suite.Name).FirstOrDefault(group => group.Count() > 1);
        return twice is null ? suites : throw new InvalidOperationException($"two suites are called {twice.Key}: a name must lead to one suite");
    }
}
