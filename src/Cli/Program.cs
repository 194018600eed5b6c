Console.WriteLine("mbr");
