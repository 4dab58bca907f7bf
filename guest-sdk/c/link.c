// contract.c wants this to be linked: the generator's object file has it, beside the types of the contract. Here
// the workshop adds the types, of what an op really imports.
void __component_type_object_force_link_contract(void);
void __component_type_object_force_link_contract(void) {}
