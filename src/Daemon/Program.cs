Console.WriteLine("membershipd");
