using System.Collections.Concurrent;
using Grpc.Core;
using Membership.Daemon.Configuration;
using Membership.Grpc.Errors;
using Membership.Grpc.Server;
using Membership.V1;
using Status = Grpc.Core.Status;

namespace Membership.Daemon.Access;

/// <summary>The one point that every call of every listener passes: the role its method needs against the role its caller has.</summary>
/// <remarks>A method that is not in the table is refused, so is a caller whom no rule names. Safe for several threads.</remarks>
internal sealed class AccessControl
{
    /// <summary>The reason of a refusal, for programs.</summary>
    public const string DeniedReason = "PERMISSION_DENIED";

    private readonly MethodTable _methods;
    private readonly AuditLog _audit;
    private readonly string _configurationFile;
    private readonly ConcurrentDictionary<ServerCallContext, Running> _running = new(ReferenceEqualityComparer.Instance);
    private volatile RoleBook _roles;
    private long _denied;

    public AccessControl(MethodTable methods, RoleBook roles, AuditLog audit, string configurationFile)
    {
        (_methods, _roles, _audit, _configurationFile) = (methods, roles, audit, configurationFile);
    }

    /// <summary>Calls refused since the start.</summary>
    public long DeniedCount => Interlocked.Read(ref _denied);

    /// <summary>Who has which role now.</summary>
    public RoleBook Roles => _roles;

    /// <summary>Has every call of a server pass here.</summary>
    public GrpcServerOptions Guard(GrpcServerOptions options) => options with { Authorize = Authorize, RequestRead = RequestRead, Ended = Ended };

    /// <summary>New rules, from now on; calls under way that their caller may no longer make are ended.</summary>
    public void Replace(RoleBook roles)
    {
        _roles = roles;
        foreach (var (context, call) in _running)
        {
            if (Refusal(roles, call.Caller, call.Method, context.Method, out _) is { } refusal) context.Revoke(refusal.Status);
        }
    }

    /// <summary>Who a caller is, what he may do and why; and about one method, if asked.</summary>
    public WhoAmIResponse Describe(ServerCallContext context, string method)
    {
        var caller = Caller.Of(context);
        var (role, because) = _roles.Decide(caller);
        var answer = new WhoAmIResponse { Identity = caller.Identity, Role = role, Because = because };
        if (method.Length == 0) return answer;
        var asked = _methods.Find(method) ?? throw RichError.Of(StatusCode.NotFound, "UNKNOWN_METHOD",
            $"there is no method {Printable.Value(method)}. Write it like membership.v1.AdminService/SetVotes; the methods are in proto/membership/v1.", ("method", Printable.Text(method))).ToException();
        answer.Needed = asked.Needed;
        answer.Allowed = role >= asked.Needed;
        return answer;
    }

    private Status? Authorize(ServerCallContext context)
    {
        var caller = Caller.Of(context);
        var method = _methods.Find(context.Method);
        while (true)
        {
            var roles = _roles;
            if (Refusal(roles, caller, method, context.Method, out var role) is { } refusal) return Deny(context, caller, role, method, refusal);
            _running[context] = new Running(caller, role, method!);   // refused above when it is not in the table
            if (ReferenceEquals(roles, _roles)) return null;          // else Replace may have looked before this call was there
        }
    }

    private Status Deny(ServerCallContext context, Caller caller, Role role, MethodAccess? method, RichError refusal)
    {
        _running.TryRemove(context, out _);
        Interlocked.Increment(ref _denied);
        refusal.AddTo(context.ResponseTrailers);
        _audit.Denied(caller.Identity, RoleText.Of(role), context.Method.TrimStart('/'), method is null ? AuditLog.NoMethod : RoleText.Of(method.Needed));
        return refusal.Status;
    }

    private void RequestRead(ServerCallContext context, object request)
    {
        if (_running.TryGetValue(context, out var call) && call.Method.Mutates) call.Arguments = AuditLog.Arguments(request);
    }

    private void Ended(ServerCallContext context, Status status)
    {
        if (_running.TryRemove(context, out var call) && call.Method.Mutates)
            _audit.Called(call.Caller.Identity, RoleText.Of(call.Role), call.Method.Name, call.Arguments, AuditLog.Outcome(status));
    }

    private RichError? Refusal(RoleBook roles, Caller caller, MethodAccess? method, string name, out Role role)
    {
        (role, var because) = roles.Decide(caller);
        if (method is not null && role >= method.Needed) return null;
        var wire = Printable.Text(name.TrimStart('/'), 200);
        var needed = method is null ? "none" : RoleText.Of(method.Needed);
        var message = method is null
            ? $"{wire} names no role in its proto file and is refused to everybody. Report it: this is a mistake in the program."
            : $"{wire} needs the role {needed}; you are {caller.Identity} with the role {RoleText.Of(role)} ({because}). {Remedy(caller, method.Needed)}";
        return RichError.Of(StatusCode.PermissionDenied, DeniedReason, message,
            ("method", wire), ("role_needed", needed), ("role", RoleText.Of(role)), ("identity", caller.Identity), ("because", because));
    }

    private string Remedy(Caller caller, Role needed)
    {
        var entry = caller switch
        {
            Caller.Process process => $"user:{_roles.Accounts.NameOf(process.Peer.UserId)}",
            Caller.Certificate { Names: [var name, ..] } => $"cert:{Printable.Text(name, 200)}",
            Caller.Certificate => "a certificate that has a name",
            _ => "a caller it can know: over the Unix socket or with a certificate",
        };
        return $"To allow it, add {entry} to api.roles.{RoleText.Of(needed)} in {_configurationFile} on this node and send the daemon SIGHUP; root may call without.";
    }

    private sealed class Running(Caller caller, Role role, MethodAccess method)
    {
        public Caller Caller { get; } = caller;

        public Role Role { get; } = role;

        public MethodAccess Method { get; } = method;

        public string Arguments { get; set; } = "";
    }
}
