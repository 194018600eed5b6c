using Membership.Daemon.Access;
using Membership.Grpc.Unix;
using Membership.V1;

namespace Membership.Daemon.Tests.Access;

public sealed class RoleBookTests
{
    private const uint Daemon = 990;

    private static readonly LocalAccounts Accounts = new(
        ["root:x:0:0:root:/:/bin/sh", "alice:x:1000:1000::/:/bin/sh", "bob:x:1001:1001::/:/bin/sh", "not a line", "bad:x:-1:0::/:", "dup:x:7:7::/:", "dup:x:8:8::/:"],
        ["root:x:0:", "ops:x:50:alice,bob", "dev:x:51:"]);

    [Fact]
    public void Root_and_the_daemons_own_user_are_admins_and_nobody_else_is_anything()
    {
        var book = Book();

        Assert.Equal(Role.Admin, book.Decide(Process(0)).Role);
        Assert.Equal(Role.Admin, book.Decide(Process(Daemon)).Role);
        Assert.Equal(Role.Unspecified, book.Decide(Process(1000)).Role);
        Assert.Equal(Role.Unspecified, book.Decide(new Caller.Certificate(["a"])).Role);
        Assert.Equal(Role.Unspecified, book.Decide(new Caller.Stranger()).Role);
    }

    [Fact]
    public void Users_and_groups_are_named_or_numbered_and_the_answer_says_by_which_entry()
    {
        var book = Book((Role.App, "user:alice"), (Role.Read, "user:1001"), (Role.Operate, "group:ops"), (Role.Admin, "group:51"));

        Assert.Equal(Role.App, book.Decide(Process(1000)).Role);
        Assert.Equal("api.roles[0] names user:alice", book.Decide(Process(1000)).Because);
        Assert.Equal(Role.Read, book.Decide(Process(1001)).Role);
        Assert.Equal(Role.Operate, book.Decide(Process(1002, 50)).Role);
        Assert.Equal(Role.Operate, book.Decide(Process(1002, 1002, 7, 50)).Role);
        Assert.Equal(Role.Admin, book.Decide(Process(1002, 1002, 50, 51)).Role);
    }

    [Fact]
    public void What_a_certificate_calls_itself_is_never_a_user_and_the_other_way_round()
    {
        var book = Book((Role.Admin, "user:alice"), (Role.Operate, "cert:bob"), (Role.Read, "others"));

        Assert.Equal(Role.Unspecified, book.Decide(new Caller.Certificate(["alice"])).Role);
        Assert.Equal(Role.Read, book.Decide(Process(1001)).Role);
        Assert.Equal(Role.Operate, book.Decide(new Caller.Certificate(["x", "BOB"])).Role);
        Assert.Equal(Role.Unspecified, book.Decide(new Caller.Certificate([])).Role);
    }

    [Fact]
    public void A_star_is_every_certificate_and_no_user()
    {
        var book = Book((Role.Read, "cert:*"));

        Assert.Equal(Role.Read, book.Decide(new Caller.Certificate(["whoever"])).Role);
        Assert.Equal(Role.Unspecified, book.Decide(Process(1000)).Role);
        Assert.False(book.AdmitsOthers);
    }

    [Fact]
    public void Names_this_machine_does_not_know_match_nobody_and_are_told()
    {
        var book = Book((Role.Admin, "user:carol"), (Role.Admin, "group:nobodies"), (Role.Admin, "user:bad"), (Role.Read, "user:dup"));

        Assert.Equal(["user:carol", "group:nobodies", "user:bad"], book.Unknown.Select(grant => grant.Text));
        Assert.Equal(Role.Read, book.Decide(Process(7)).Role);
        Assert.Equal(Role.Unspecified, book.Decide(Process(8)).Role);
    }

    /// <summary>All sets of up to three grants out of eight, for all callers, against the rule in one line: the highest role of the grants that match.</summary>
    [Fact]
    public void The_role_is_the_highest_that_any_matching_entry_grants()
    {
        (Role Role, string Text)[] all =
        [
            (Role.Read, "others"), (Role.App, "user:alice"), (Role.Operate, "group:ops"), (Role.Admin, "user:1001"),
            (Role.Read, "cert:*"), (Role.App, "cert:a.example"), (Role.Operate, "cert:spiffe://x/b"), (Role.Admin, "group:dev"),
        ];
        (Caller Caller, string[] Matches)[] callers =
        [
            (Process(1000), ["others", "user:alice"]),
            (Process(1000, 50), ["others", "user:alice", "group:ops"]),
            (Process(1001, 1001, 51), ["others", "user:1001", "group:dev"]),
            (new Caller.Certificate(["a.example"]), ["cert:*", "cert:a.example"]),
            (new Caller.Certificate(["spiffe://x/b", "a.example"]), ["cert:*", "cert:a.example", "cert:spiffe://x/b"]),
            (new Caller.Stranger(), []),
        ];
        for (var set = 0; set < 1 << all.Length; set++)
        {
            (Role Role, string Text)[] chosen = [.. all.Where((_, index) => (set & (1 << index)) != 0)];
            var book = Book(chosen);
            foreach (var (caller, matches) in callers)
            {
                var expected = chosen.Where(each => matches.Contains(each.Text)).Select(each => each.Role).DefaultIfEmpty(Role.Unspecified).Max();
                Assert.Equal(expected, book.Decide(caller).Role);
            }
        }
    }

    private static RoleBook Book(params (Role Role, string Text)[] grants) =>
        new(grants.Select((each, index) => RoleGrant.Parse(each.Role, each.Text, $"api.roles[{index}]")!), Accounts, Daemon);

    private static Caller.Process Process(uint user, uint? group = null, params uint[] groups) => new(new UnixPeer(77, user, group ?? user), groups);
}
