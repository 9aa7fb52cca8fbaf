"""Who may: keys, sealing, signed context, accounts, access to rows, audit."""
