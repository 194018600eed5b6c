using System.Globalization;
using System.Text.Json;
using Membership.Cli.Text;

namespace Membership.Cli.Demo;

/// <summary>Where a demo shows what happens.</summary>
internal interface IDemoOutput : IDisposable
{
    /// <summary>Something happened.</summary>
    void Line(TimeSpan at, string text);

    /// <summary>The picture may have changed.</summary>
    void Show(ClusterPicture picture);
}

/// <summary>For files, pipes and the tour: one line for each happening, and now and then the state of the order.</summary>
internal sealed class PlainOutput(TextWriter writer) : IDemoOutput
{
    private static readonly TimeSpan OrderPace = TimeSpan.FromSeconds(5);
    private TimeSpan _lastOrder;

    /// <inheritdoc/>
    public void Line(TimeSpan at, string text) => writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{at.TotalSeconds,8:0.000}  {text}"));

    /// <inheritdoc/>
    public void Show(ClusterPicture picture)
    {
        if (picture.Elapsed - _lastOrder < OrderPace) return;
        _lastOrder = picture.Elapsed;
        foreach (var component in picture.Order.Components()) Line(picture.Elapsed, DemoText.Order(component, picture.Order));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>For programs: one JSON object a line.</summary>
internal sealed class JsonOutput(TextWriter writer) : IDemoOutput
{
    private static readonly TimeSpan StatePace = TimeSpan.FromSeconds(1);
    private TimeSpan _lastState;

    /// <inheritdoc/>
    public void Line(TimeSpan at, string text) => writer.WriteLine(JsonText.Object(json =>
    {
        json.WriteString("event", "note");
        json.WriteNumber("at_ms", (long)at.TotalMilliseconds);
        json.WriteString("text", text);
    }));

    /// <inheritdoc/>
    public void Show(ClusterPicture picture)
    {
        if (picture.Elapsed - _lastState < StatePace) return;
        _lastState = picture.Elapsed;
        writer.WriteLine(JsonText.Object(json => Write(json, picture)));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static void Write(Utf8JsonWriter json, ClusterPicture picture)
    {
        json.WriteString("event", "state");
        json.WriteNumber("at_ms", (long)picture.Elapsed.TotalMilliseconds);
        json.WriteNumber("messages_compared", picture.Order.Confirmed);
        json.WriteNumber("differences", picture.Order.DifferenceCount);
        json.WriteStartArray("components");
        foreach (var component in picture.Order.Components())
        {
            json.WriteStartObject();
            json.WriteString("view", component.View);
            json.WriteStartArray("nodes");
            foreach (var node in component.Nodes) json.WriteNumberValue(node);
            json.WriteEndArray();
            json.WriteNumber("messages", component.Common);
            json.WriteString("hash", DemoText.Hash(component.Hash));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
