using Google.Protobuf;
using Grpc.Core;
using Membership.Grpc.Errors;
using Membership.V1;

namespace Membership.Client.Tests;

/// <summary>One group that is watched: what happens in it is told by the test.</summary>
internal sealed partial class FakeGroups
{
    private const ulong FirstPosition = 2;

    private readonly List<GroupEvent> _happened = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (RpcException? Failure, Cut? Cut) _end;   // of the watches that were there
    private int _ends;

    /// <summary>Positions up to this one are forgotten.</summary>
    public ulong ForgottenUpTo { get; set; }

    /// <summary>Sends an event again that the client has already had.</summary>
    public bool Repeats { get; set; }

    /// <summary>It is of a version that cannot resume watches.</summary>
    public bool IsOld { get; set; }

    public List<WatchGroupRequest> WatchRequests { get; } = [];

    public void Happen(string text)
    {
        lock (_gate)
        {
            var message = new GroupMessage
            {
                Sender = new GroupMember { Node = 2, Pid = 5, Session = 6 },
                Payload = ByteString.CopyFromUtf8(text),
                Size = (uint)text.Length,
                Seq = (ulong)_happened.Count,
                ViewNumber = 1,
            };
            _happened.Add(new GroupEvent { Position = FirstPosition + (ulong)_happened.Count, Message = message });
            Change();
        }
    }

    /// <summary>Cuts all watches off.</summary>
    public void CutWatches(ulong resume) => EndWatches((null, new Cut { Resume = resume, Reason = "the reader was too slow" }));

    /// <summary>Ends the calls of all watches with a status.</summary>
    public void EndWatches(RpcException failure) => EndWatches((failure, null));

    public override async Task WatchGroup(WatchGroupRequest request, IServerStreamWriter<WatchGroupResponse> responseStream, ServerCallContext context)
    {
        int ends;
        lock (_gate)
        {
            WatchRequests.Add(request);
            ends = _ends;
        }
        bool resumes = request.AfterPosition > 0 && !IsOld;
        if (resumes && request.Boot.Length > 0 && request.Boot != boot) throw Gone(0);
        if (resumes && request.AfterPosition < ForgottenUpTo) throw Gone(ForgottenUpTo);
        int next = resumes ? (int)(request.AfterPosition + 1 - FirstPosition) : _happened.Count;
        if (Repeats && next > 0) next--;
        var first = new WatchGroupResponse { Boot = IsOld ? "" : boot };
        if (!resumes) first.Events.Add(new GroupEvent { Position = FirstPosition - 1 + (ulong)_happened.Count, Membership = new GroupMembership { Group = request.Group } });
        await responseStream.WriteAsync(first);
        for (bool isFirst = true; ;)
        {
            Task changed;
            (RpcException? Failure, Cut? Cut) end;
            var response = new WatchGroupResponse();
            lock (_gate)
            {
                (changed, end) = (_changed.Task, ends == _ends ? default : _end);
                foreach (var known in _happened[next..])
                {
                    var told = known.Clone();
                    told.Message.RingId = isFirst ? $"1.1.{boot[..8]}" : "";
                    isFirst = false;
                    if (!request.Payloads)
                    {
                        told.Message.Payload = ByteString.Empty;
                        response.Sha256.Add(ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(known.Message.Payload.Span).AsSpan(0, 8)));
                    }
                    response.Events.Add(told);
                }
                next = _happened.Count;
            }
            if (end.Cut is not null) response.Events.Add(new GroupEvent { Cut = end.Cut });
            if (response.Events.Count > 0) await responseStream.WriteAsync(response);
            if (end.Failure is { } failure) throw failure;
            if (end.Cut is not null) return;
            await changed.WaitAsync(context.CancellationToken);
        }
    }

    private static RpcException Gone(ulong oldest) =>
        RichError.Of(StatusCode.OutOfRange, "POSITION_GONE", "events are no longer kept", ("oldest_position", $"{oldest}")).ToException();

    private void EndWatches((RpcException? Failure, Cut? Cut) end)
    {
        lock (_gate)
        {
            _end = end;
            _ends++;
            Change();
        }
    }

    private void Change()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
